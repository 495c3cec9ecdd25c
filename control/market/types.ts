/** What goes into the marketplace and what it says about a filter once it is in: plain data. */
import type { GivenPermissions } from "../../wasm/permissions.ts";
import type { ConfigSchema } from "../../wasm/config_schema.ts";
import type { HookName } from "../../wasm/inspect.ts";

/** One upload. `statement` and `manifest` are the exact texts that were signed. */
export interface Push {
  /** A core module, a component, or WAT text. */
  readonly bytes: Uint8Array;
  /** The text of `denim.filter.yaml`. */
  readonly manifest: string;
  /** The text of the {@link Statement} that was signed, byte for byte. */
  readonly statement: string;
  /** Base64 of the Ed25519 signature over `statement`; "" when there is none (and then it is refused). */
  readonly signature: string;
}

/** What a publisher signs: this name and version are these bytes and nothing else. */
export interface Statement {
  readonly type: "denim.dev/filter-statement/v1";
  /** `publisher/name`. */
  readonly name: string;
  readonly version: string;
  /** `sha256:<hex>` of the pushed bytes and of the manifest's text. */
  readonly moduleDigest: string;
  readonly manifestDigest: string;
  /** Id of the publisher's key: the first 16 hex digits of the SHA-256 of the raw public key. */
  readonly key: string;
}

export interface Publisher {
  readonly name: string;
  readonly keys: readonly PublisherKey[];
}

export interface PublisherKey {
  readonly id: string;
  /** Base64 of the 32 raw bytes. */
  readonly publicKey: string;
  readonly addedMs: number;
}

/** Measured on the reference trace when the filter was admitted, on the control plane's machine. */
export interface Measured {
  /** The most fuel one call used, and the mean over all calls. */
  readonly fuelPerCall: number;
  readonly fuelMean: number;
  /** Median microseconds of one call. */
  readonly usPerCall: number;
  /** Median microseconds of one whole exchange (all calls). */
  readonly usPerExchange: number;
  readonly instantiateMs: number;
  /** Linear memory after the trace. */
  readonly memoryBytes: number;
  /** Calls of the trace that trapped or ran out of fuel. */
  readonly traps: number;
}

/** One version of one filter. Immutable once written. */
export interface Listing {
  /** `publisher/name`. */
  readonly name: string;
  readonly version: string;
  readonly title: string;
  readonly summary: string;
  readonly description: string;
  readonly publisher: string;
  readonly license: string;
  readonly categories: readonly string[];
  readonly links: Readonly<Record<string, string>>;
  readonly signature: {
    readonly state: "verified";
    readonly key: string;
    readonly statement: string;
    readonly value: string;
  };
  /** `typescript`, `assemblyscript`, `wat`, `rust`, `go`, `c` or `unknown`; found in the module where it can be. */
  readonly language: string;
  readonly abi: "proxy-wasm" | "component";
  /** `proxy-wasm 0.2.1`, `denim:filter@0.1.0`. */
  readonly abiVersion: string;
  /** Derived from exports (or from what configure() returned), never from the manifest. */
  readonly hooks: readonly HookName[];
  /** What it may touch: derived from imports. The operator grants these in a FilterBinding. */
  readonly capabilities: readonly string[];
  /** Those of them that no binding can leave out; absent: none. */
  readonly required?: readonly string[];
  /** Names it asks for (wasm/permissions.ts); absent: all but credentials. */
  readonly permissions?: GivenPermissions;
  /** The same in words, for people. */
  readonly touches: readonly string[];
  readonly measured: Measured;
  /** Bytes as pushed and as admitted (metered, transpiled). */
  readonly originalBytes: number;
  readonly bytes: number;
  /** `sha256:<hex>` of the admitted artefact: what proxies ask for. */
  readonly digest: string;
  readonly originalDigest: string;
  readonly manifestDigest: string;
  /** Anything an operator should know before binding it. */
  readonly warnings: readonly string[];
  /** Default configuration: JSON text, "" for none. */
  readonly config: string;
  /** What a configuration may be, as the filter says; bindings are checked by it when they are applied. */
  readonly configSchema?: ConfigSchema;
  readonly limits: { readonly fuelPerCall: number; readonly memoryMiB: number };
  readonly phase: "AUTHN" | "AUTHZ" | "TRANSFORM" | "STATS";
  /** A FilterBinding that installs it, and the command that applies one. */
  readonly binding: string;
  readonly install: string;
  readonly admittedMs: number;
  /** Version of the rewriter that metered it. */
  readonly instrumenter: string;
}

/** Why the marketplace said no; `details` name the member of the upload, as the API's errors do. */
export class MarketError extends Error {
  readonly code: string;
  readonly status: number;
  readonly details: readonly { readonly path: string; readonly message: string }[];

  constructor(
    code: string,
    status: number,
    message: string,
    details: readonly { readonly path: string; readonly message: string }[] = [],
  ) {
    super(message);
    this.name = "MarketError";
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

/** The marketplace as the API, the snapshot builder and the pages use it; {@link Market} implements it. */
export interface MarketApi {
  /** Known publishers. */
  publishers(): readonly Publisher[];
  /** Makes a key of a publisher known; the publisher is created with its first key. Raw Ed25519 key in base64. */
  addPublisherKey(name: string, publicKey: string): Promise<Publisher>;
  /** Verifies, scans, meters, test-loads and measures; the listing, or a {@link MarketError}. */
  admit(push: Push): Promise<Listing>;
  /** The newest version of every filter, by name. */
  list(): readonly Listing[];
  /** All versions of one filter, newest first. */
  versions(name: string): readonly Listing[];
  /** One version; without `version` the newest. */
  get(name: string, version?: string): Listing | null;
  /** By digest of the admitted artefact or of the original. */
  byDigest(digest: string): Listing | null;
  /** The admitted artefact, for proxies; its SHA-256 has been checked. */
  module(digest: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** What was pushed, and its media type (`application/wasm` or `text/plain` for WAT). */
  original(digest: string): Promise<{ bytes: Uint8Array<ArrayBuffer>; mediaType: string } | null>;
}
