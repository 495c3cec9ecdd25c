/**
 * The stream between a proxy and the control plane: frames over one mTLS connection.
 *
 *   frame = length (u32 big-endian, of what follows) · kind (u8: 0 JSON, 1 module bytes) · payload
 *
 * A kind-1 payload is the 71 ASCII characters of the digest (`sha256:` + 64 hex) and then the bytes.
 */
import type { TrapReport } from "../../wasm/trap_report.ts";
import type { NodeRef, Snapshot } from "./snapshot.ts";

/** What the control plane sends. */
export type ToProxy =
  | {
    readonly type: "snapshot";
    readonly nonce: string;
    readonly revision: number;
    readonly snapshot: Snapshot;
  }
  /** Answer to join and csr: PEM chain, leaf first, and the current bundle. */
  | { readonly type: "svid"; readonly chain: string; readonly bundle: string }
  /** Answer to key: PEM of the private key. */
  | { readonly type: "key"; readonly name: string; readonly pem: string }
  /** A new certificate is to be asked for at some moment within so long. */
  | { readonly type: "renew"; readonly withinMs: number }
  | { readonly type: "error"; readonly code: string; readonly message: string }
  /** Sent now and then, so that a proxy notices a control plane that vanished without a word. */
  | { readonly type: "alive" };

/** Code of the error a proxy gets when another process said hello in its place. */
export const REPLACED = "proxy.replaced";

/** How often `alive` is sent, and the silence after which a proxy connects anew. */
export const ALIVE_MS = 5000, CONTROL_SILENCE_MS = 20_000;

/** What a proxy sends. Before it has an identity only `join` and `attest` are heard. */
export type FromProxy =
  | { readonly type: "join"; readonly token: string; readonly csr: string }
  /** The same with a token that the platform gave the workload: a JWT of its Kubernetes cluster. */
  | { readonly type: "attest"; readonly jwt: string; readonly csr: string }
  | { readonly type: "csr"; readonly csr: string }
  | {
    readonly type: "hello";
    readonly node: NodeRef;
    /** Version in force, null for none. */
    readonly version: string | null;
    /** `host:port` where other sidecars reach this one; null for gateways. */
    readonly inbound: string | null;
    /** Labels of the workload, e.g. `{version: "v2"}`; a Service may select on them. */
    readonly labels: Readonly<Record<string, string>>;
    readonly admin: string;
    readonly pid: number;
    /** Of several processes that share the workload's ports; 0, the default, speaks for the workload. */
    readonly worker?: number | undefined;
    /** Unix milliseconds of the process's start: of two at one place the younger speaks. */
    readonly startedMs?: number | undefined;
  }
  | { readonly type: "ack"; readonly nonce: string; readonly version: string }
  | {
    readonly type: "nack";
    readonly nonce: string;
    readonly version: string;
    readonly reason: string;
  }
  | { readonly type: "module"; readonly digest: string }
  /** A private key of a certificate in its snapshot, by name. */
  | { readonly type: "key"; readonly name: string }
  | { readonly type: "report"; readonly report: ProxyReport }
  /** It is about to stop: send it no more traffic. A connection that just goes may come back. */
  | { readonly type: "bye" };

/** The application protocol of the stream, named in its TLS handshake. */
export const CONTROL_ALPN: readonly string[] = ["denim-control/1"];

/** What a proxy says of itself every few seconds: totals since its start. */
export interface ProxyReport {
  readonly version: string | null;
  readonly ready: boolean;
  readonly uptimeMs: number;
  readonly rssBytes: number;
  /** Unix milliseconds at which the leaf certificate ends; null without one. */
  readonly certExpiresMs: number | null;
  /** `sha256:<hex>` of the key that signed it; absent where that is not known. */
  readonly certIssuer?: string | undefined;
  readonly appHealthy: boolean;
  readonly routes: readonly RouteReport[];
  readonly filters: readonly FilterReport[];
  /** Absent: no policy has had anything to do. */
  readonly policies?: readonly PolicyReport[] | undefined;
  /** CPU time of the process, milliseconds. */
  readonly cpuMs?: number | undefined;
  /** The last traps of its filters, oldest first. */
  readonly traps?: readonly TrapReport[] | undefined;
  /**
   * Of which key sets (jwksUri) a token since the last report named a key that is not there: the issuer may
   * have new ones. Not verified: anybody can make such a token.
   */
  readonly unknownKeys?: readonly string[] | undefined;
  /** A sidecar's: who calls it with mTLS and who without. */
  readonly inbound?: InboundReport | undefined;
}

export interface InboundReport {
  /** What its inbound listener lets in. */
  readonly mode: "mesh" | "permissive" | "none";
  readonly mtls: { readonly connections: number; readonly requests: number };
  readonly plaintext: { readonly connections: number; readonly requests: number };
  /** Who came in plaintext, the latest first. */
  readonly callers: readonly PlaintextCaller[];
  /** How many more there were, of whom nothing is known any more. */
  readonly forgotten: number;
}

export interface PlaintextCaller {
  /** IP address. */
  readonly address: string;
  readonly connections: number;
  readonly requests: number;
  /** Unix milliseconds of its last connection or request. */
  readonly lastMs: number;
}

export interface RouteReport {
  readonly listener: string;
  readonly route: string;
  readonly backend: string;
  readonly requests: number;
  /** Responses with status ≥ 500, local replies included. */
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What one AuthorizationPolicy did in one proxy. */
export interface PolicyReport {
  /** `namespace/name`, or `(no ALLOW matches)` and `(default deny)`. */
  readonly name: string;
  readonly refused: number;
  readonly audited: number;
  /** Of a dry run: passed, and would have been refused; refused, and would have passed. */
  readonly wouldRefuse: number;
  readonly wouldAllow: number;
}

/** A trap of a filter, as the proxy kept it. */
export type { TrapReport };

/** Cost and health of one Wasm filter in one proxy. */
export interface FilterReport {
  /** FilterBinding, `namespace/name`. */
  readonly name: string;
  readonly digest: string;
  readonly state: "running" | "backing-off" | "tripped";
  readonly calls: number;
  readonly fuel: number;
  readonly us: number;
  readonly memoryBytes: number;
  readonly traps: number;
  /** Text of the last trap, "" for none. */
  readonly lastTrap: string;
  /** Exchanges it saw, and what it cost by route, the dearest first. */
  readonly exchanges?: number | undefined;
  readonly routes?: readonly FilterRouteReport[] | undefined;
  /** Why the newest configuration is not in force and an older one goes on; absent: it is. */
  readonly refused?: string | undefined;
}

export interface FilterRouteReport {
  readonly route: string;
  readonly exchanges: number;
  readonly fuel: number;
  readonly us: number;
  readonly traps: number;
}

export const FRAME_JSON = 0, FRAME_MODULE = 1;
/** A frame larger than this closes the connection. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const DIGEST_CHARS = 71;

export function encodeJson(message: ToProxy | FromProxy): Uint8Array {
  return encodeFrame(FRAME_JSON, new TextEncoder().encode(JSON.stringify(message)));
}

export function encodeModule(digest: string, bytes: Uint8Array): Uint8Array {
  const payload = new Uint8Array(DIGEST_CHARS + bytes.length);
  payload.set(new TextEncoder().encode(digest));
  payload.set(bytes, DIGEST_CHARS);
  return encodeFrame(FRAME_MODULE, payload);
}

export function decodeModule(payload: Uint8Array): { digest: string; bytes: Uint8Array } {
  return {
    digest: new TextDecoder().decode(payload.subarray(0, DIGEST_CHARS)),
    bytes: payload.slice(DIGEST_CHARS),
  };
}

function encodeFrame(kind: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(5 + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length + 1);
  frame[4] = kind;
  frame.set(payload, 5);
  return frame;
}

/** Cuts a byte stream into frames; any split of the input gives the same frames. */
export class FrameReader {
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  readonly #maxBytes: number;

  constructor(maxBytes: number = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The frames completed by `bytes`; "too large" when one is over the limit, and then nothing more. */
  push(bytes: Uint8Array): { kind: number; payload: Uint8Array }[] | "too large" {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    const frames: { kind: number; payload: Uint8Array }[] = [];
    for (;;) {
      if (this.#heldBytes < 5) return frames;
      const head = this.#peek(5);
      const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
      if (length < 1 || length > this.#maxBytes) return "too large";
      if (this.#heldBytes < 4 + length) return frames;
      const whole = this.#take(4 + length);
      frames.push({ kind: whole[4]!, payload: whole.subarray(5) });
    }
  }

  #peek(n: number): Uint8Array {
    if (this.#held[0]!.length < n) this.#join();
    return this.#held[0]!;
  }

  #take(n: number): Uint8Array {
    if (this.#held[0]!.length < n) this.#join();
    const first = this.#held[0]!;
    if (first.length === n) this.#held.shift();
    else this.#held[0] = first.subarray(n);
    this.#heldBytes -= n;
    return first.subarray(0, n);
  }

  #join(): void {
    const joined = new Uint8Array(this.#heldBytes);
    let at = 0;
    for (const part of this.#held) {
      joined.set(part, at);
      at += part.length;
    }
    this.#held = [joined];
  }
}
