/** Bytes as the text of a WAT data segment. */
import { encodePairs } from "../proxy_wasm/maps.ts";

export interface WatData {
  readonly wat: string;
  readonly size: number;
}

export function bytesWat(bytes: Uint8Array): WatData {
  const wat = Array.from(bytes, (b) => `\\${b.toString(16).padStart(2, "0")}`).join("");
  return { wat, size: bytes.length };
}

/** A header map as guests hand it over: name, value, name, value, … */
export function pairsWat(lines: readonly string[]): WatData {
  return bytesWat(encodePairs(lines));
}
