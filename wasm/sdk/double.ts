/**
 * Stands for the host where a filter runs as plain TypeScript, in unit tests: an in-memory log, key-value
 * store and metrics. In a built filter these imports are the real host.
 */
import type { CallErrorRecord, CallRecord, PeerRecord, ReplyRecord } from "./wit.ts";

export const logged: { level: number; message: string }[] = [];
export const counted = new Map<string, number>();
const values = new Map<string, { value: Uint8Array; version: number }>();
let now = 1_700_000_000_000_000_000;

/** Forgets everything; call it before a test. */
export function resetHost(): void {
  logged.length = 0;
  counted.clear();
  values.clear();
  answers = () => ({ status: 503 });
}

/** What requests of the filter's own get: a status, headers and text, or an Error for none. */
export type Answer =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | Error;

let answers: (request: CallRecord) => Answer = () => ({ status: 503 });

/** Stands for the Services a filter asks. */
export function answerWith(answer: (request: CallRecord) => Answer): void {
  answers = answer;
}

type Result = { tag: "ok"; val: ReplyRecord } | { tag: "err"; val: CallErrorRecord };

export function send(call: CallRecord): ReplyRecord {
  const result = sendMany([call])[0]!;
  if (result.tag === "err") throw { payload: result.val };
  return result.val;
}

export function sendMany(calls: CallRecord[]): Result[] {
  return calls.map((call) => {
    const answer = answers(call);
    if (answer instanceof Error) return { tag: "err", val: { tag: "other", val: answer.message } };
    const { status, headers = {}, body = "" } = answer;
    const val = { status, headers: Object.entries(headers), body: utf8Encode(body) };
    return { tag: "ok", val };
  });
}

export function log(level: number, message: string): void {
  logged.push({ level, message });
}

export function peerIdentity(): PeerRecord {
  return { spiffeId: undefined, dnsSans: [], mtls: false, address: "127.0.0.1:1" };
}

export function property(_path: string[]): Uint8Array | undefined {
  return undefined;
}

export function setProperty(_path: string[], _value: Uint8Array): void {}

export function nowNs(): number {
  return now += 1_000_000;
}

export function utf8Decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function utf8Encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function fuelLeft(): number {
  return 1_000_000;
}

export function traceParent(): string {
  return "";
}

export function counter(name: string, labels: [string, string][], delta: number): void {
  const key = [name, ...labels.map(([label, value]) => `${label}=${value}`)].join(" ");
  counted.set(key, (counted.get(key) ?? 0) + delta);
}

export function gauge(name: string, _labels: [string, string][], value: number): void {
  counted.set(name, value);
}

export function histogram(name: string, _labels: [string, string][], _value: number): void {
  counted.set(name, (counted.get(name) ?? 0) + 1);
}

export function get(key: string): [Uint8Array, number] | undefined {
  const found = values.get(key);
  return found === undefined ? undefined : [found.value, found.version];
}

export function set(key: string, value: Uint8Array, cas?: number, _ttlMs?: number): number {
  const version = values.get(key)?.version ?? 0;
  if (cas !== undefined && cas !== version) throw { payload: { tag: "mismatch", val: version } };
  values.set(key, { value, version: version + 1 });
  return version + 1;
}

export function incr(key: string, by: number, _ttlMs?: number): number {
  const found = values.get(key);
  const old = found === undefined ? 0 : Number(String.fromCharCode(...found.value));
  const text = String(old + by);
  set(key, Uint8Array.from(text, (char) => char.charCodeAt(0)));
  return old + by;
}
