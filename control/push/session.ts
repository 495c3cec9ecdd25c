/**
 * One connection of a proxy, from its handshake on.
 *
 *   no certificate ──join, attest──▶ svid, then closed    (the proxy comes back with it)
 *   certificate ─┬─csr────▶ svid
 *                └─hello──▶ registered: snapshots out; ack, nack, module, report, csr, bye in
 *
 * Anything else gets an `error` frame that says why, and the connection is closed.
 */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { issuerOf, parseWorkloadId } from "../../proxy/tls/mod.ts";
import { type Authority, CsrError, type RevocationList, type Tokens } from "../ca/mod.ts";
import type { KubernetesAttestor } from "../attest/kubernetes.ts";
import type { AuditLog, AuditRecord } from "../audit/log.ts";
import type { KeySets } from "../jwks/mod.ts";
import type { MarketApi } from "../market/mod.ts";
import type { FrameEvents } from "../schema/frame_socket.ts";
import { type FromProxy, REPLACED, type ToProxy } from "../schema/protocol.ts";
import type { Vault } from "../store/vault.ts";
import { Delivery } from "./delivery.ts";
import { type Hello, readMessage } from "./messages.ts";
import { nodeId, type Nodes, ProxyNode } from "./nodes.ts";
import type { Publisher } from "./publisher.ts";
import type { Roster } from "./roster.ts";
import { trustHash } from "./trust_hash.ts";
import type { Workloads } from "./workloads.ts";

export interface SessionDeps {
  readonly authority: Authority;
  readonly revocations: Pick<RevocationList, "has" | "spec" | "onChange">;
  readonly tokens: Tokens;
  /** Null: nobody joins by a token of a cluster. */
  readonly attestor: Pick<KubernetesAttestor, "attest"> | null;
  readonly audit: Pick<AuditLog, "record">;
  readonly nodes: Nodes;
  readonly workloads: Workloads;
  readonly roster: Roster;
  /** Why a peer with this certificate gets no other one by it, DER, leaf first; null: nothing. */
  readonly renewalFault: (chain: readonly Uint8Array[]) => Promise<string | null>;
  readonly publisher: Publisher;
  readonly market: MarketApi;
  readonly vault: Pick<Vault, "get">;
  readonly keySets: Pick<KeySets, "unknownKey">;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a session may do with its connection. */
export interface Link {
  send(message: ToProxy): void;
  sendModule(digest: string, bytes: Uint8Array): Promise<void>;
  end(): void;
  destroy(reason: string): void;
}

/** Who is at the other end. */
export interface Caller {
  /** Verified SPIFFE id, null without a certificate. */
  readonly identity: string | null;
  /** What it showed, DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** When its certificate ends. */
  readonly notAfterMs: number;
  /** Address it came from. */
  readonly remote: string;
}

/** Modules and keys one proxy may ask for before it has been given the ones before. */
export const MAX_ASKED = 256;
/** A caller has so long to join or to say hello, and to say anything after that. */
export const GREETING_MS = 10_000, SILENCE_MS = 30_000;

export class Session implements FrameEvents {
  readonly #deps: SessionDeps;
  readonly #caller: Caller;
  readonly #link: Link;
  readonly #openedMs: number;
  #node: ProxyNode | null = null;
  #saidBye = false;
  #over = false;
  /** Code of the refusal that ended it, "" for none. */
  #refused = "";
  #trustedUntilMs: number;
  #serial = "";
  /** Requests that need the authority, a module's bytes or a key are answered one after the other. */
  #work: Promise<void> = Promise.resolve();
  #asked = 0;

  constructor(caller: Caller, link: Link, deps: SessionDeps) {
    this.#caller = caller;
    this.#link = link;
    this.#deps = deps;
    this.#openedMs = deps.clock.nowMs();
    this.#trustedUntilMs = caller.notAfterMs;
  }

  json(payload: Uint8Array): void {
    if (this.#over) return;
    const message = readMessage(payload);
    if (typeof message === "string") return this.#refuse("protocol.bad_message", message);
    const { nodes, clock } = this.#deps;
    if (this.#node !== null) {
      if (!nodes.isPresent(this.#node)) return;
      this.#node.heardMs = clock.nowMs();
    }
    this.#received(message);
  }

  module(): void {
    this.#refuse("protocol.bad_message", "Only the control plane sends modules");
  }

  closed(reason: string): void {
    this.#over = true;
    const node = this.#node;
    if (node === null) return;
    const { nodes, workloads, log } = this.#deps;
    const present = nodes.isPresent(node);
    nodes.gone(node, this.#saidBye);
    if (present && !this.#saidBye) workloads.lost(node.id);
    if (present) this.#deps.roster.gone(node.id, this.#saidBye);
    log.info("proxy.gone", {
      id: node.id,
      orderly: this.#saidBye,
      reason: reason === "" ? undefined : reason,
    });
  }

  /** Ends a connection that is silent or whose certificate has expired; to be called every second or so. */
  sweep(): void {
    if (this.#over) return;
    const nowMs = this.#deps.clock.nowMs();
    if (this.#caller.identity !== null && nowMs > this.#trustedUntilMs) {
      return this.#refuse("peer.expired", "The certificate of this connection has expired");
    }
    if (this.#node === null) {
      if (nowMs - this.#openedMs > GREETING_MS) {
        this.#refuse("protocol.silent", `Nothing was asked for within ${GREETING_MS} ms`);
      }
    } else if (nowMs - this.#node.heardMs > SILENCE_MS) {
      this.#link.destroy(`Nothing was heard for ${SILENCE_MS} ms`);
    }
  }

  /** Of the newest certificate that was issued on this connection, "" for none. */
  get serial(): string {
    return this.#serial;
  }

  /** Its peer is no longer to be believed: it hears why, and its endpoint is given to nobody any more. */
  revoked(detail: string): void {
    if (this.#over) return;
    const node = this.#node;
    this.#refuse("peer.revoked", detail);
    if (node === null || !this.#deps.nodes.isPresent(node)) return;
    this.#saidBye = true; // it does not come back: neither kept nor shown as one that is missed
    this.#deps.nodes.gone(node, true);
    this.#deps.roster.gone(node.id, true);
    this.#deps.workloads.leave(node.id);
  }

  #received(message: FromProxy): void {
    if (this.#caller.identity === null) {
      if (message.type === "join") return this.#later(() => this.#join(message));
      if (message.type === "attest") return this.#later(() => this.#attest(message));
      return this.#refuse(
        "peer.no_certificate",
        "A certificate is wanted on this connection; without one only joining is heard",
      );
    }
    switch (message.type) {
      case "join":
      case "attest":
        return this.#refuse("join.has_identity", "A proxy with a certificate renews it with csr");
      case "csr":
        return this.#later(() => this.#again(this.#caller.identity!, message.csr));
      case "hello":
        return this.#hello(message);
    }
    const node = this.#node;
    if (node === null) {
      return this.#refuse("protocol.no_hello", `"${message.type}" came before hello`);
    }
    this.#fromNode(node, message);
  }

  #fromNode(
    node: ProxyNode,
    message: Exclude<FromProxy, { type: "join" | "attest" | "csr" | "hello" }>,
  ): void {
    const { log, workloads, keySets, clock } = this.#deps;
    const { delivery } = node.link;
    switch (message.type) {
      case "ack":
        if (!delivery.acked(message.nonce, message.version)) return;
        this.#enroll(node);
        return this.#judgeHealth(node);
      case "nack":
        if (!delivery.nacked(message.nonce, message.version, message.reason)) return;
        return log.warn("snapshot.refused", {
          id: node.id,
          version: message.version,
          reason: message.reason,
        });
      case "module":
        return this.#module(node, message.digest);
      case "key":
        return this.#key(node, message.name);
      case "report":
        node.reported(message.report, clock.nowMs());
        for (const uri of message.report.unknownKeys ?? []) keySets.unknownKey(uri);
        this.#enroll(node);
        return this.#judgeHealth(node);
      case "bye":
        this.#saidBye = true;
        return workloads.leave(node.id);
    }
  }

  async #join({ token, csr }: { token: string; csr: string }): Promise<void> {
    const { tokens, log } = this.#deps;
    const { remote } = this.#caller;
    const record = await tokens.take(token, remote);
    if (record === null) {
      log.warn("join.refused", { remote });
      this.#audit({ proof: "join-token", target: "", result: "refused", code: "join.bad_token" });
      return this.#refuse(
        "join.bad_token",
        "The join token is unknown, used or expired. Make a new one: denim token create",
      );
    }
    const { identity } = record;
    await this.#joined(identity, csr, { who: identity, proof: "join-token", target: "" });
    // The proxy did nothing wrong and tries again: with the only token it has.
    if (this.#refused === "csr.failed") await tokens.giveBack(record);
  }

  async #attest({ jwt, csr }: { jwt: string; csr: string }): Promise<void> {
    const { attestor, log } = this.#deps;
    const { remote } = this.#caller;
    const attested: Awaited<ReturnType<KubernetesAttestor["attest"]>> = await attestor?.attest(
      jwt,
      remote,
    ) ?? {
      ok: false,
      code: "join.bad_token",
      reason: "No cluster is configured here whose tokens are taken: denim control --kubernetes",
      about: "",
    };
    if (attested.ok) {
      const { identity, who, about: target } = attested;
      return await this.#joined(identity, csr, { who, proof: "kubernetes", target });
    }
    const { code, reason, about: target } = attested;
    log.warn("join.refused", { remote, code, reason, about: target });
    this.#audit({ proof: "kubernetes", target, result: "refused", code });
    this.#refuse(code, reason);
  }

  /** A newcomer's first certificate; then the connection is over. */
  async #joined(
    identity: string,
    csr: string,
    about: Pick<AuditRecord, "who" | "proof" | "target">,
  ): Promise<void> {
    await this.#renew(identity, csr);
    const target = `${identity}${about.target === "" ? "" : ` for ${about.target}`}`;
    const result = this.#refused === ""
      ? "done"
      : this.#refused === "csr.failed"
      ? "failed"
      : "refused";
    this.#audit({ ...about, target, result, code: this.#refused });
    if (this.#over) return;
    this.#deps.log.info("join.accepted", { identity, remote: this.#caller.remote });
    this.#link.end();
  }

  /** A renewal, by the certificate this connection was made with. */
  async #again(identity: string, csr: string): Promise<void> {
    const fault = await this.#deps.renewalFault(this.#caller.chain);
    if (fault !== null) return this.#refuse("csr.not_yours", fault);
    await this.#renew(identity, csr);
  }

  #audit(
    about: Pick<AuditRecord, "proof" | "target" | "result" | "code"> & { who?: string },
  ): void {
    const { who = "unknown", ...rest } = about;
    this.#deps.audit.record({ who, from: this.#caller.remote, what: "join", ...rest });
  }

  async #renew(identity: string, csr: string): Promise<void> {
    const { authority, revocations, log } = this.#deps;
    if (revocations.has(identity)) {
      return this.#refuse("peer.revoked", `"${identity}" is revoked and gets no certificate`);
    }
    try {
      const svid = await authority.issue(identity, csr);
      this.#serial = svid.serial;
      this.#trustedUntilMs = Math.max(this.#trustedUntilMs, svid.notAfterMs);
      const bundle = authority.bundle().join("");
      this.#link.send({ type: "svid", chain: svid.chainPem, bundle });
    } catch (error) {
      if (error instanceof CsrError) return this.#refuse("csr.bad", error.message);
      const reason = error instanceof Error ? error.message : String(error);
      log.error("svid.not_issued", { identity, reason });
      const message = "No certificate could be issued; the control plane's log says why";
      // A proxy that has a certificate asks again and needs us for more than this.
      if (this.#node !== null) {
        return this.#link.send({ type: "error", code: "csr.failed", message });
      }
      this.#refuse("csr.failed", message);
    }
  }

  #hello(hello: Hello): void {
    const { nodes, workloads, publisher, log, clock } = this.#deps;
    const identity = this.#caller.identity!;
    const who = parseWorkloadId(identity);
    if (this.#node !== null) return this.#refuse("protocol.bad_message", "Hello was said before");
    if (who === null || who.namespace !== hello.node.namespace || who.service !== hello.node.name) {
      return this.#refuse(
        "hello.wrong_identity",
        `The certificate is that of "${identity}", the proxy says it runs for ` +
          `"${hello.node.namespace}/${hello.node.name}"`,
      );
    }
    if ((hello.node.kind === "sidecar") !== (hello.inbound !== null)) {
      return this.#refuse("hello.bad_inbound", "A sidecar has an inbound address, a gateway none");
    }
    const inbound = hello.inbound === null ? null : reachable(hello.inbound, this.#caller.remote);
    const id = nodeId(identity, hello, inbound);
    if (nodes.hasYounger(id, hello)) {
      return this.#refuse(REPLACED, "A younger process of the same proxy speaks for it");
    }
    const delivery = new Delivery(
      hello.version,
      (nonce, { snapshot, revision }) =>
        this.#link.send({ type: "snapshot", nonce, revision, snapshot }),
    );
    const link = {
      delivery,
      cut: (reason: string) => this.#link.destroy(reason),
      renew: (withinMs: number) => this.#link.send({ type: "renew", withinMs }),
      replaced: () => this.#refuse(REPLACED, "Another process of the same proxy took its place"),
    };
    const node = new ProxyNode({ id, hello, identity, inbound }, link, clock.nowMs());
    // The other workers answer at the same address: one of them speaks for all.
    const speaks = inbound !== null && (hello.worker ?? 0) === 0;
    const workload = !speaks ? null : {
      namespace: who.namespace,
      service: who.service,
      inbound,
      labels: hello.labels,
      identity,
      // Without a configuration it would answer 503 to whoever is sent there.
      healthy: hello.version !== null,
    };
    if (!nodes.add(node) || (workload !== null && !workloads.register(id, workload))) {
      return this.#refuse("hello.full", "The control plane serves as many proxies as it can");
    }
    this.#node = node;
    log.info("proxy.connected", { id, kind: hello.node.kind, version: hello.version });
    publisher.publishTo(node);
    this.#enroll(node);
    this.#judgeHealth(node);
  }

  /** What a rotation has to know of it. */
  #enroll(node: ProxyNode): void {
    const { kind, namespace, name } = node.hello.node;
    const { target, isInForce } = node.link.delivery;
    const { certExpiresMs = null, certIssuer } = node.report ?? {};
    this.#deps.roster.seen(node.id, {
      name: `${kind} ${namespace}/${name}`,
      identity: node.identity,
      certExpiresMs: certExpiresMs ?? this.#caller.notAfterMs,
      // Until it says what it has now, it is the one it came with.
      issuer: certIssuer ?? issuerOf(this.#caller.chain),
      ...(isInForce && target !== null ? { trust: trustHash(target.snapshot.trust) } : {}),
    });
  }

  /** An endpoint is given to others while its proxy has a configuration and its application answers. */
  #judgeHealth(node: ProxyNode): void {
    // Without a configuration it has nothing to say yet: its hello said how it begins.
    if (node.inbound === null || this.#saidBye || node.link.delivery.version === null) return;
    const answers = node.report === null || node.report.appHealthy;
    this.#deps.workloads.setHealthy(node.id, answers);
  }

  /** Only to a gateway that shows a certificate of this key. */
  #key(node: ProxyNode, name: string): void {
    if (!node.link.delivery.namesKey(name)) {
      return this.#refuse(
        "key.not_yours",
        `The key "${name}" is of no certificate in this snapshot`,
      );
    }
    this.#give("key", async () => {
      const pem = await this.#deps.vault.get(name);
      if (pem !== null) return this.#link.send({ type: "key", name, pem });
      this.#link.send({
        type: "error",
        code: "key.missing",
        message: `The key "${name}" is not kept any more; apply its Secret again`,
      });
    });
  }

  #module(node: ProxyNode, digest: string): void {
    if (!node.link.delivery.names(digest)) {
      return this.#refuse("module.not_yours", `The module "${digest}" is not in this snapshot`);
    }
    this.#give("module", async () => {
      const bytes = await this.#deps.market.module(digest);
      if (bytes !== null) return await this.#link.sendModule(digest, bytes);
      this.#link.send({
        type: "error",
        code: "module.missing",
        message: `The module "${digest}" is not in the marketplace any more`,
      });
    });
  }

  /** In its turn; who asks for more while much of what he asked for is still to come is refused. */
  #give(what: "key" | "module", answer: () => Promise<void>): void {
    if (this.#asked >= MAX_ASKED) {
      return this.#refuse(`${what}.too_many`, `More than ${MAX_ASKED} things were asked for`);
    }
    this.#asked++;
    this.#later(async () => {
      this.#asked--;
      await answer();
    });
  }

  #later(work: () => Promise<void>): void {
    this.#work = this.#work.then(() => this.#over ? undefined : work()).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#deps.log.error("session.failed", { remote: this.#caller.remote, reason });
      this.#link.destroy(reason);
    });
  }

  #refuse(code: string, message: string): void {
    const { remote, identity } = this.#caller;
    this.#deps.log.warn("session.refused", { remote, identity, code, reason: message });
    this.#refused = code;
    this.#link.send({ type: "error", code, message });
    this.#link.end();
    this.#over = true;
  }
}

/** A sidecar that listens on every address is reached at the one it came from. */
function reachable(inbound: string, remote: string): string {
  const unspecified = /^(0\.0\.0\.0|\[::\]):(\d+)$/.exec(inbound);
  if (unspecified === null) return inbound;
  const host = remote.replace(/^::ffff:/, "");
  return `${host.includes(":") ? `[${host}]` : host}:${unspecified[2]}`;
}
