/** Globals of the web platform that the engine inside a filter lacks; bundled only where they are used. */
import { nowNs } from "denim:filter/host@0.1.0";
import { log } from "./log.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

const EngineDate = Date;

/** UTF-8 only, as on the web. */
class Utf8Encoder {
  readonly encoding = "utf-8";

  encode(text = ""): Uint8Array {
    return encodeUtf8(String(text));
  }
}

/** UTF-8 only; bytes that are none become U+FFFD. */
class Utf8Decoder {
  readonly encoding = "utf-8";

  decode(input: Uint8Array | ArrayBuffer = new Uint8Array(0)): string {
    return decodeUtf8(input instanceof Uint8Array ? input : new Uint8Array(input));
  }
}

/** The engine has no clock of its own: the proxy's is asked. */
class HostDate extends EngineDate {
  constructor(...parts: unknown[]) {
    // deno-lint-ignore no-explicit-any -- Date takes one to seven arguments of several types
    super(...(parts.length === 0 ? [HostDate.now()] : parts) as [any]);
  }

  static override now(): number {
    return Math.floor(Number(nowNs()) / 1e6);
  }
}

const hostConsole = {
  debug: log.debug,
  log: log.info,
  info: log.info,
  warn: log.warn,
  error: log.error,
};

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function toBase64(binary: string): string {
  let out = "";
  for (let i = 0; i < binary.length; i += 3) {
    const a = binary.charCodeAt(i), b = binary.charCodeAt(i + 1), c = binary.charCodeAt(i + 2);
    if (a > 255 || b > 255 || c > 255) throw new Error("btoa takes one char per byte");
    const bits = a << 16 | (b || 0) << 8 | (c || 0);
    out += ALPHABET[bits >> 18]! + ALPHABET[bits >> 12 & 63];
    out += i + 1 < binary.length ? ALPHABET[bits >> 6 & 63] : "=";
    out += i + 2 < binary.length ? ALPHABET[bits & 63] : "=";
  }
  return out;
}

function fromBase64(text: string): string {
  const clean = text.replace(/[\t\n\f\r ]/g, "").replace(/={1,2}$/, "");
  if (clean.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(clean)) throw new Error("not base64");
  let out = "", bits = 0, held = 0;
  for (const char of clean) {
    bits = (bits << 6 | ALPHABET.indexOf(char)) & 0xffffff;
    held += 6;
    if (held >= 8) out += String.fromCharCode(bits >> (held -= 8) & 255);
  }
  return out;
}

export {
  fromBase64 as atob,
  hostConsole as console,
  HostDate as Date,
  toBase64 as btoa,
  Utf8Decoder as TextDecoder,
  Utf8Encoder as TextEncoder,
};
export { fetch, FilterAbortSignal as AbortSignal } from "./fetch.ts";
export { FilterUrl as URL, FilterUrlSearchParams as URLSearchParams } from "./url.ts";
