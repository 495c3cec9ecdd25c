/**
 * Stands for the host where a filter runs as plain TypeScript, in unit tests: an in-memory log, key-value
 * store and metrics. In a built filter these imports are the real host.
 */
import type { PeerRecord } from "./wit.ts";

export const logged: { level: number; message: string }[] = [];
export const counted = new Map<string, number>();
const values = new Map<string, { value: Uint8Array; version: number }>();
let now = 1_700_000_000_000_000_000;

/** Forgets everything; call it before a test. */
export function resetHost(): void {
  logged.length = 0;
  counted.clear();
  values.clear();
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
