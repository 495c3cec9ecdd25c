/**
 * The proxy's end of the stream: keeps a connection to the control plane, puts in force what it sends,
 * and says so; renews the certificate; reports. While there is no connection everything stays as it is.
 *
 *   waiting ──back-off over──▶ connecting ──handshake──▶ connected ──lost──▶ waiting
 *                                   └──────failed──────────────────────────────▲
 */
import type { Clock, Random } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { FrameSocket } from "../../control/schema/frame_socket.ts";
import {
  CONTROL_SILENCE_MS,
  type FromProxy,
  type ProxyReport,
  REPLACED,
  type ToProxy,
} from "../../control/schema/protocol.ts";
import type { Snapshot } from "../../control/schema/snapshot.ts";
import type { IdentityMaterial, MeshIdentity } from "../tls/mod.ts";
import { Backoff } from "./backoff.ts";
import { connectLink, type Place } from "./control_link.ts";
import { IdentityFile } from "./identity_store.ts";
import type { LastGood } from "./last_good.ts";
import type { Keys } from "./keys.ts";
import type { Modules } from "./modules.ts";
import { Renewal } from "./renewal.ts";
import { putTrustInForce } from "./trust.ts";

export type Greeting = Omit<Extract<FromProxy, { type: "hello" }>, "type" | "version">;

export interface SubscriptionOptions {
  readonly control: Place;
  readonly identity: MeshIdentity;
  /** Gets a certificate without showing one, when this one has expired; null: nothing lets us in again. */
  readonly rejoin?: (() => Promise<IdentityMaterial>) | null;
  readonly greeting: Greeting;
  /** Version in force when the subscription starts (from disk), null for none. */
  readonly version: string | null;
  /** Puts a snapshot in force, whole or not at all; its rejection is told to the control plane. */
  readonly apply: (snapshot: Snapshot) => Promise<void>;
  readonly report: () => ProxyReport;
  /** What is in force has parts that go on from before: a start from this snapshot alone would not have them. */
  readonly leansOnPast: () => boolean;
  readonly lastGood: LastGood;
  readonly modules: Modules;
  readonly keys: Keys;
  /** State folder, where a renewed identity goes. */
  readonly state: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Subscription {
  readonly connected: boolean;
  /** Says bye, so that no more traffic is sent here, and closes; resolves when that is done. */
  close(): Promise<void>;
  /** Resolves when the control plane has been greeted for the first time. */
  readonly greeted: Promise<void>;
}

export const REPORT_MS = 1000;
/** A connection that lasted so long counts as one that worked. */
const STEADY_MS = 5000;
const CLOSE_MS = 1000;
/** How long a proxy keeps away whose place another process took (a rolling upgrade). */
export const REPLACED_WAIT_MS = 60_000;

/** Begins at once and goes on until closed. */
export function subscribe(options: SubscriptionOptions): Subscription {
  return new Subscriber(options);
}

class Subscriber implements Subscription {
  readonly #options: SubscriptionOptions;
  readonly #backoff: Backoff;
  readonly #file: IdentityFile;
  readonly #renewal: Renewal;
  readonly #reporter: ReturnType<typeof setInterval>;
  readonly #greeted = Promise.withResolvers<void>();
  #link: FrameSocket | null = null;
  #connected = false;
  #heardMs = 0;
  #connectedMs = 0;
  #version: string | null;
  #waiting: ReturnType<typeof setTimeout> | undefined;
  #closing: PromiseWithResolvers<void> | null = null;
  #replaced = false;
  /** The certificate on disk was removed because it is revoked. */
  #forgotten = false;
  /** Snapshots are put in force one after the other. */
  #applying: Promise<void> = Promise.resolve();

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#version = options.version;
    this.#backoff = new Backoff(options.random);
    this.#file = new IdentityFile(options.state, options.log);
    this.#renewal = new Renewal(options, this.#file, (csr) => this.#send({ type: "csr", csr }));
    this.#reporter = setInterval(() => this.#tick(), REPORT_MS);
    this.#connect();
  }

  get connected(): boolean {
    return this.#connected;
  }

  get greeted(): Promise<void> {
    return this.#greeted.promise;
  }

  async close(): Promise<void> {
    if (this.#closing !== null) return await this.#closing.promise;
    this.#closing = Promise.withResolvers();
    clearInterval(this.#reporter);
    clearTimeout(this.#waiting);
    this.#renewal.stop();
    const link = this.#link;
    if (link === null) this.#closing.resolve();
    else {
      this.#send({ type: "bye" });
      link.end();
      const late = setTimeout(() => link.destroy("closed"), CLOSE_MS);
      await this.#closing.promise;
      clearTimeout(late);
    }
    await this.#applying;
    await this.#file.settled();
  }

  #connect(): void {
    const { control, identity, rejoin, clock } = this.#options;
    if (rejoin != null && clock.nowMs() >= identity.notAfterMs) return void this.#rejoin(rejoin);
    const link = connectLink(control, identity, {
      // A snapshot of the connection before may still be on its way into force: hello must not name the past.
      connected: () => void this.#applying.then(() => this.#hello(link)),
      message: (message) => this.#received(link, message),
      module: (digest, bytes) => void this.#options.modules.received(digest, bytes),
      closed: (reason) => this.#lost(reason),
    });
    this.#link = link;
  }

  /** Without a certificate in date no connection would be admitted. */
  async #rejoin(rejoin: () => Promise<IdentityMaterial>): Promise<void> {
    try {
      const material = await rejoin();
      if (this.#closing !== null) return this.#closing.resolve();
      this.#renewal.replaced(material);
      this.#backoff.reset();
      this.#connect();
    } catch (error) {
      this.#lost(error instanceof Error ? error.message : String(error));
    }
  }

  #hello(link: FrameSocket): void {
    if (this.#link !== link) return;
    const { greeting, modules, keys, log, clock } = this.#options;
    this.#connected = true;
    this.#connectedMs = this.#heardMs = clock.monotonicMs();
    link.send({ type: "hello", version: this.#version, ...greeting });
    this.#greeted.resolve();
    if (this.#forgotten) {
      this.#forgotten = false; // it was undone
      this.#file.write(this.#options.identity.material);
    }
    modules.connected((digest) => link.send({ type: "module", digest }));
    keys.connected((name) => link.send({ type: "key", name }));
    this.#renewal.connected();
    this.#tick();
    log.info("control.connected", { version: this.#version });
  }

  #received(link: FrameSocket, message: ToProxy): void {
    const { log, modules, keys, clock } = this.#options;
    this.#heardMs = clock.monotonicMs();
    switch (message.type) {
      case "snapshot":
        return this.#snapshot(link, message);
      case "svid":
        return this.#renewal.received(message);
      case "error":
        if (message.code === REPLACED) this.#replaced = true;
        if (message.code === "peer.revoked") this.#revoked();
        log.warn("control.refused", { code: message.code, reason: message.message });
        if (message.code.startsWith("module.")) modules.refused(message.message);
        if (message.code.startsWith("key.")) keys.refused(message.message);
        return;
      case "key":
        return keys.received(message.name, message.pem);
      case "renew":
        return this.#renewal.asked(message.withinMs);
      case "alive":
        return;
    }
  }

  /** Whom to believe holds at once: it must not wait for the snapshot before to be in force. */
  #snapshot(link: FrameSocket, message: Extract<ToProxy, { type: "snapshot" }>): void {
    let untrusted: unknown = null;
    try {
      putTrustInForce(this.#options.identity, message.snapshot.trust);
    } catch (error) {
      untrusted = error;
    }
    this.#applying = this.#applying.then(() => this.#apply(link, message, untrusted));
  }

  /** This certificate opens nothing any more; with a new token the next start gets another. */
  #revoked(): void {
    this.#options.log.error("identity.revoked", {
      hint: "if this was not meant: denim revoke --undo, or start it again with a new join token",
    });
    this.#forgotten = true;
    this.#file.remove();
  }

  async #apply(
    link: FrameSocket,
    { nonce, snapshot, revision }: Extract<ToProxy, { type: "snapshot" }>,
    untrusted: unknown,
  ): Promise<void> {
    if (this.#link !== link) return; // nobody waits for the answer; the next connection sends it anew
    const { apply, lastGood, log } = this.#options;
    const { version } = snapshot;
    try {
      if (untrusted !== null) throw untrusted;
      await apply(snapshot);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error("snapshot.refused", { version, revision, reason });
      link.send({ type: "nack", nonce, version, reason });
      return;
    }
    this.#version = version;
    link.send({ type: "ack", nonce, version });
    log.info("snapshot.in_force", { version, revision });
    if (!this.#options.leansOnPast()) await lastGood.write(snapshot);
  }

  #lost(reason: string): void {
    const { log, modules, keys, clock } = this.#options;
    const wasConnected = this.#connected;
    this.#connected = false;
    this.#link = null;
    modules.disconnected();
    keys.disconnected();
    if (this.#closing !== null) return this.#closing.resolve();
    if (wasConnected && clock.monotonicMs() - this.#connectedMs > STEADY_MS) this.#backoff.reset();
    // Most likely it is about to be stopped; coming back at once would only push the other one out.
    const waitMs = this.#replaced ? REPLACED_WAIT_MS : this.#backoff.next();
    this.#replaced = false;
    log.warn(wasConnected ? "control.lost" : "control.unreachable", {
      reason: reason === "" ? "closed by the control plane" : reason,
      retryMs: Math.round(waitMs),
    });
    this.#waiting = setTimeout(() => this.#connect(), waitMs);
  }

  #tick(): void {
    if (!this.#connected) return;
    if (this.#options.clock.monotonicMs() - this.#heardMs > CONTROL_SILENCE_MS) {
      return this.#link?.destroy(`Nothing was heard for ${CONTROL_SILENCE_MS} ms`);
    }
    this.#send({ type: "report", report: this.#options.report() });
  }

  #send(message: FromProxy): boolean {
    if (!this.#connected || this.#link === null) return false;
    this.#link.send(message);
    return true;
  }
}
