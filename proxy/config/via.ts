/**
 * The Via field (RFC 9110 7.6.3): each proxy adds itself to what it passes on, and a request that comes
 * by for the fourth time, or after too many others, is going in circles.
 */
import type { Fields } from "../../core/fields.ts";
import type { HttpVersion } from "../../core/message.ts";
import type { NodeRef, ViaSpec } from "../../control/schema/snapshot.ts";

/** How often one request may come by the same listener: a login proxy sends some back once, no chain often. */
export const MAX_PASSES = 3;
/** How many proxies, of whatever make, may have passed a request on. */
export const MAX_HOPS = 32;

const DEFAULT_NAME = "denim";

type Lines = Readonly<Record<HttpVersion, string>>;

/** What one listener puts into Via, made once per snapshot, and how it finds itself there. */
export class Via {
  readonly #request: Lines;
  /** Null: responses get none. */
  readonly #response: Lines | null;
  readonly #mark: string;

  constructor(node: NodeRef, listener: string, spec: ViaSpec = {}) {
    const name = spec.name ?? DEFAULT_NAME;
    // Alike for all replicas and workers, so that a loop through any of them is one, and says no name.
    const mark = `${name}-${hash(`${node.kind}/${node.namespace}/${node.name}/${listener}`)}`;
    this.#mark = mark;
    this.#request = linesOf(mark);
    this.#response = spec.responses === false ? null : linesOf(name);
  }

  onRequest(fields: Fields, version: HttpVersion): void {
    fields.append("via", this.#request[version]);
  }
  onResponse(fields: Fields, version: HttpVersion): void {
    if (this.#response !== null) fields.append("via", this.#response[version]);
  }

  /** Whether the request has come by too often. `hops`: proxies that passed it on, as {@link hopsIn} counts. */
  loops(fields: Fields, hops: number): boolean {
    if (hops > MAX_HOPS) return true;
    if (hops < MAX_PASSES) return false;
    let passes = 0;
    for (const value of fields.all("via")) {
      for (let at = 0; (at = value.indexOf(this.#mark, at)) >= 0; at++) passes++;
    }
    return passes >= MAX_PASSES;
  }
}

/** Proxies one Via line names. */
export function hopsIn(value: string): number {
  let hops = 1;
  for (let at = 0; (at = value.indexOf(",", at)) >= 0; at++) hops++;
  return hops;
}

function linesOf(by: string): Lines {
  return { "1.0": `1.0 ${by}`, "1.1": `1.1 ${by}`, "2": `2 ${by}` };
}

/** FNV-1a, 32 bits as 8 hexadecimal digits. */
function hash(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
