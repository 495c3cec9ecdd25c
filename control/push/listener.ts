/** Where proxies connect: node:tls with our own verification of every connection, one session each. */
import { createServer, type TLSSocket } from "node:tls";
import {
  type Admission,
  admitPeer,
  type AdmittedPeer,
  MeshIdentity,
  refuseHandshake,
  stillTrusted,
} from "../../proxy/tls/mod.ts";
import type { Authority } from "../ca/mod.ts";
import { listen } from "../listen.ts";
import { FrameSocket } from "../schema/frame_socket.ts";
import { ALIVE_MS, CONTROL_ALPN } from "../schema/protocol.ts";
import { MESSAGE_LIMITS } from "./messages.ts";
import { type Caller, Session, type SessionDeps } from "./session.ts";

/** Connections of one control plane, and how many of them may be without a certificate. */
export const LISTENER_LIMITS = { connections: 20_000, strangers: 256 } as const;
const SWEEP_MS = 1000;
/** How often a certificate that could not be renewed is tried again. */
const RENEWAL_RETRY_MS = 10_000;

export interface ListenerLimits {
  readonly connections: number;
  readonly strangers: number;
}

export interface MeshListener {
  /** `host:port`. */
  readonly address: string;
  /** `sha256:<hex>` of the key that signed our own certificate. */
  readonly issuer: string;
  /** When our own certificate ends. */
  readonly certExpiresMs: number;
  close(): Promise<void>;
}

export async function startMeshListener(
  host: string,
  port: number,
  deps: SessionDeps,
  limits: ListenerLimits = LISTENER_LIMITS,
): Promise<MeshListener> {
  const identity = await ownIdentity(deps.authority, deps);
  const door = new Door(identity, deps, limits);
  const server = createServer(identity.serverOptions(CONTROL_ALPN), (socket) => {
    door.admit(socket);
  });
  const forget = identity.keepServer(server, CONTROL_ALPN);
  // Sockets that are still shaking hands count here only.
  server.maxConnections = limits.connections + limits.strangers;
  server.on("tlsClientError", (error, socket) => {
    const remote = socket.remoteAddress;
    // Closes the socket too, which the runtime does not do when the handshake timed out.
    const { detail } = refuseHandshake(error, socket);
    deps.log.info("mesh.handshake_failed", { remote, reason: detail });
  });
  const address = await listen(
    server,
    { host, port },
    "Cannot listen for proxies",
    "--mesh-listen",
  );
  const renewal = keepOwnCertificate(identity, deps);
  const sweeper = setInterval(() => door.sweep(), SWEEP_MS);
  const heart = setInterval(() => door.alive(), ALIVE_MS);
  return {
    address,
    get issuer() {
      return identity.issuer;
    },
    get certExpiresMs() {
      return identity.notAfterMs;
    },
    async close() {
      clearInterval(sweeper);
      clearInterval(heart);
      renewal.stop();
      forget();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      door.close();
      await closed;
    },
  };
}

/** Admits connections and keeps the list of sessions. */
class Door {
  readonly #identity: MeshIdentity;
  readonly #deps: SessionDeps;
  readonly #limits: ListenerLimits;
  readonly #sessions = new Map<Session, FrameSocket>();
  /** The certificates of those that showed one. */
  readonly #peers = new Map<Session, AdmittedPeer>();

  constructor(identity: MeshIdentity, deps: SessionDeps, limits: ListenerLimits) {
    this.#limits = limits;
    this.#identity = identity;
    this.#deps = deps;
    const revoke = (): void => {
      identity.revoke(deps.revocations.spec);
      this.#cutRevoked();
    };
    deps.revocations.onChange(revoke);
    revoke();
  }

  admit(socket: TLSSocket): void {
    const peer = admitPeer(socket, this.#identity, "client");
    const remote = socket.remoteAddress ?? "";
    // Who shows no certificate may join, and nothing else; who shows a bad one may not even do that.
    const isStranger = !peer.ok && peer.reason === "no_certificate";
    if (!peer.ok && !isStranger) return this.#refuse(socket, peer.reason, peer.detail);
    const { connections, strangers } = this.#limits;
    const strangersHere = this.#sessions.size - this.#peers.size;
    if (this.#sessions.size >= connections || (isStranger && strangersHere >= strangers)) {
      return this.#refuse(socket, "full", "The control plane has as many connections as it takes");
    }
    this.#open(socket, peer.ok ? peer : null, callerOf(peer, remote));
  }

  sweep(): void {
    for (const session of this.#sessions.keys()) session.sweep();
  }

  alive(): void {
    for (const link of this.#sessions.values()) link.send({ type: "alive" });
  }

  close(): void {
    for (const link of this.#sessions.values()) link.destroy("The control plane stops");
  }

  /** Only those: whose authority goes has asked for a new certificate on this connection. */
  #cutRevoked(): void {
    const nowMs = this.#deps.clock.nowMs();
    for (const [session, peer] of this.#peers) {
      const verdict = stillTrusted(peer, this.#identity, nowMs);
      const isRevoked = !verdict.ok && verdict.reason === "revoked";
      if (isRevoked) session.revoked(verdict.detail);
      else if (this.#deps.revocations.has(session.serial)) {
        session.revoked(`The certificate that this connection got is revoked: ${session.serial}`);
      }
    }
  }

  #open(socket: TLSSocket, peer: AdmittedPeer | null, caller: Caller): void {
    socket.setNoDelay(true);
    // The two need each other: the frames go to the session, its answers to the frames' socket.
    const link: FrameSocket = new FrameSocket(
      socket,
      {
        json: (payload) => session.json(payload),
        module: () => session.module(),
        closed: (reason) => {
          this.#sessions.delete(session);
          this.#peers.delete(session);
          session.closed(reason);
        },
      },
      peer === null ? MESSAGE_LIMITS.strangerFrameBytes : MESSAGE_LIMITS.frameBytes,
    );
    const session: Session = new Session(caller, link, this.#deps);
    this.#sessions.set(session, link);
    if (peer !== null) this.#peers.set(session, peer);
  }

  /** Says why before it closes: the handshake proved the peer's key, so it may know. */
  #refuse(socket: TLSSocket, reason: string, detail: string): void {
    this.#deps.log.warn("mesh.refused", { remote: socket.remoteAddress, reason, detail });
    const link = new FrameSocket(socket, { json() {}, module() {}, closed() {} }, 1);
    link.send({ type: "error", code: `peer.${reason}`, message: detail });
    link.end();
  }
}

function callerOf(peer: Admission, remote: string): Caller {
  return peer.ok
    ? { identity: peer.identity, chain: peer.chain, notAfterMs: peer.notAfterMs, remote }
    : { identity: null, chain: [], notAfterMs: 0, remote };
}

/** The control plane's own identity, with a fresh certificate. */
export async function ownIdentity(
  authority: Authority,
  { clock }: Pick<SessionDeps, "clock">,
): Promise<MeshIdentity> {
  const options = { nowMs: () => clock.nowMs() };
  return new MeshIdentity(await ownMaterial(authority), options);
}

async function ownMaterial(authority: Authority) {
  const { keyPem, chainPem } = await authority.controlPlaneSvid();
  return { trustDomain: authority.trustDomain, keyPem, chainPem, bundle: authority.bundle() };
}

/** Renews our own certificate at half its life, and when the authority has changed. */
export function keepOwnCertificate(
  identity: MeshIdentity,
  deps: Pick<SessionDeps, "authority" | "clock" | "log">,
): { stop(): void } {
  const { authority, clock, log } = deps;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  let renewing: Promise<void> = Promise.resolve();
  const renew = async (): Promise<void> => {
    try {
      const material = await ownMaterial(authority);
      if (stopped) return;
      identity.replace(material);
      arm(halfLife(identity, clock.nowMs()));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error("svid.own_not_renewed", { reason });
      arm(RENEWAL_RETRY_MS);
    }
  };
  // One after the other: the last one has what is in force last.
  const again = (): void => void (renewing = renewing.then(renew));
  const arm = (ms: number): void => {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(again, ms);
  };
  authority.onChange(again);
  arm(halfLife(identity, clock.nowMs()));
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** A timer holds at most 2^31 ms. */
function halfLife(identity: MeshIdentity, nowMs: number): number {
  return Math.min(2 ** 31 - 1, Math.max(100, (identity.notAfterMs - nowMs) / 2));
}
