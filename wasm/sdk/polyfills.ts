/** Globals of the web platform that the engine inside a filter lacks; bundled only where they are used. */
import { nowNs } from "denim:filter/host@0.1.0";
import { log } from "./log.ts";

const EngineDate = Date;

/** UTF-8 only, as on the web. */
class Utf8Encoder {
  readonly encoding = "utf-8";

  encode(text = ""): Uint8Array {
    const bytes = new Uint8Array(text.length * 3);
    let at = 0;
    for (const char of text) {
      let code = char.codePointAt(0)!;
      if (code < 0x80) {
        bytes[at++] = code;
        continue;
      }
      if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd; // half of a pair
      if (code < 0x800) bytes[at++] = 0xc0 | code >> 6;
      else {
        if (code < 0x10000) bytes[at++] = 0xe0 | code >> 12;
        else {
          bytes[at++] = 0xf0 | code >> 18;
          bytes[at++] = 0x80 | code >> 12 & 63;
        }
        bytes[at++] = 0x80 | code >> 6 & 63;
      }
      bytes[at++] = 0x80 | code & 63;
    }
    return bytes.slice(0, at);
  }
}

/** UTF-8 only; bytes that are none become U+FFFD. */
class Utf8Decoder {
  readonly encoding = "utf-8";

  decode(input: Uint8Array | ArrayBuffer = new Uint8Array(0)): string {
    const bytes = input instanceof Uint8Array ? input : new Uint8Array(input);
    let text = "", plain = 0, i = 0;
    while (i < bytes.length) {
      if (bytes[i]! < 0x80) {
        i++;
        continue;
      }
      text += latin(bytes, plain, i);
      const [code, length] = codePointAt(bytes, i);
      text += String.fromCodePoint(code);
      plain = i += length;
    }
    return text + latin(bytes, plain, i);
  }
}

function latin(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  // apply() takes only so many arguments.
  for (let at = from; at < to; at += 4096) {
    text += String.fromCharCode.apply(
      null,
      bytes.subarray(at, Math.min(to, at + 4096)) as unknown as number[],
    );
  }
  return text;
}

/** The code point of the sequence at `i` and its length; U+FFFD and 1 when it is none. */
function codePointAt(bytes: Uint8Array, i: number): [number, number] {
  const first = bytes[i]!;
  const length = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || first >= 0xf5 || i + length > bytes.length) return [0xfffd, 1];
  let code = first & (0xff >> (length + 1));
  for (let k = 1; k < length; k++) {
    const next = bytes[i + k]!;
    if ((next & 0xc0) !== 0x80) return [0xfffd, 1];
    code = code << 6 | next & 63;
  }
  const least = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000;
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return [0xfffd, 1];
  return [code, length];
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
export { FilterUrl as URL, FilterUrlSearchParams as URLSearchParams } from "./url.ts";
