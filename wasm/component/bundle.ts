/**
 * An admitted component as one file: header (JSON), glue (JavaScript), metered core modules.
 *
 *   "DNMC" · version (u32 LE) · header length (u32 LE) · header · glue · core module · core module …
 */
import { ModuleError } from "../reader.ts";

export const BUNDLE_VERSION = 1;
/** Of components that wait for answers: a proxy that cannot suspend a guest must not run one. */
const SUSPENDING_VERSION = 2;
/** The world the proxy speaks; components of another are refused at admission. */
export const WORLD = "denim:filter@0.1.0";
export const FILTER_EXPORT = `denim:filter/filter@0.1.0`;

/** Key in the glue's imports of the account it charges strings to; see imports.ts. */
export const ACCOUNT = "denim:host/account";

const MAGIC = [0x44, 0x4e, 0x4d, 0x43];
const HEAD_BYTES = 12;
const HEADER_LIMIT = 64 * 1024;
const CORES_LIMIT = 32;

export interface BundleHeader {
  readonly world: string;
  /** Interfaces the component imports: `denim:filter/kv`. */
  readonly imports: readonly string[];
  /** Its functions give promises: it is suspended while it waits for an answer. */
  readonly suspends: boolean;
  readonly instrumenter: string;
  readonly glueBytes: number;
  readonly cores: readonly { readonly name: string; readonly bytes: number }[];
}

export interface Bundle {
  readonly header: BundleHeader;
  readonly glue: string;
  readonly cores: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/** Whether the bytes begin like a bundle. */
export function isBundle(bytes: Uint8Array): boolean {
  return bytes.length >= HEAD_BYTES && MAGIC.every((byte, i) => bytes[i] === byte);
}

export function encodeBundle(
  parts: {
    readonly imports: readonly string[];
    readonly suspends?: boolean;
    readonly instrumenter: string;
    readonly glue: string;
    readonly cores: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  },
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const glue = encoder.encode(parts.glue);
  const header: BundleHeader = {
    world: WORLD,
    imports: parts.imports,
    suspends: parts.suspends ?? false,
    instrumenter: parts.instrumenter,
    glueBytes: glue.length,
    cores: parts.cores.map((core) => ({ name: core.name, bytes: core.bytes.length })),
  };
  const head = encoder.encode(JSON.stringify(header));
  const pieces = [head, glue, ...parts.cores.map((core) => core.bytes)];
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, HEAD_BYTES));
  out.set(MAGIC);
  const view = new DataView(out.buffer);
  view.setUint32(4, header.suspends ? SUSPENDING_VERSION : BUNDLE_VERSION, true);
  view.setUint32(8, head.length, true);
  let at = HEAD_BYTES;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** Takes a bundle apart; throws {@link ModuleError} on anything but a whole one. */
export function decodeBundle(bytes: Uint8Array): Bundle {
  if (!isBundle(bytes)) throw damaged("it does not begin like one");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(4, true);
  if (version !== BUNDLE_VERSION && version !== SUSPENDING_VERSION) {
    throw damaged(`its version is ${version}, this proxy reads up to ${SUSPENDING_VERSION}`);
  }
  const reader = new PieceReader(bytes, HEAD_BYTES);
  const headLength = view.getUint32(8, true);
  if (headLength > HEADER_LIMIT) throw damaged("its header is too long");
  const header = readHeader(reader.take(headLength));
  const glue = new TextDecoder().decode(reader.take(header.glueBytes));
  const cores = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const core of header.cores) cores.set(core.name, reader.take(core.bytes).slice());
  if (!reader.done) throw damaged("bytes follow its last module");
  return { header: { ...header, suspends: version === SUSPENDING_VERSION }, glue, cores };
}

class PieceReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(length: number): Uint8Array {
    const from = this.#at;
    if (!Number.isSafeInteger(length) || length < 0 || length > this.#bytes.length - from) {
      throw damaged("it ends too early");
    }
    this.#at += length;
    return this.#bytes.subarray(from, this.#at);
  }
}

function readHeader(bytes: Uint8Array): BundleHeader {
  let header: BundleHeader;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes)) as BundleHeader;
  } catch {
    throw damaged("its header is not JSON");
  }
  if (header.world !== WORLD) throw damaged(`its world is "${header.world}", wanted "${WORLD}"`);
  if (!Array.isArray(header.cores) || header.cores.length > CORES_LIMIT) {
    throw damaged("its list of modules is malformed or too long");
  }
  return header;
}

function damaged(why: string): ModuleError {
  return new ModuleError("wasm.bad_bundle", `The component bundle cannot be read: ${why}`);
}
