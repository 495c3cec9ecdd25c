/** Sets, adds and removes fields of requests (`request-headers`) or responses (`response-headers`). */
import type { Fields } from "../../core/fields.ts";
import {
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type Verdict,
} from "../../core/filter.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import { type HeadersConfig, parseHeadersConfig } from "./config.ts";

export function createRequestHeadersFilter(config: unknown, _env: FilterEnv): Filter {
  const changes = parseHeadersConfig("request-headers", config);
  // Host is not among the fields: it is the head's authority. Adding a second one, or removing it,
  // would make a request that no server accepts.
  for (const { name } of changes.add) refuseHost(name, "add");
  for (const name of changes.remove) refuseHost(name, "remove");
  const host = changes.set.findLast((header) => header.name === "host")?.value.toLowerCase();
  const fields = { ...changes, set: changes.set.filter((header) => header.name !== "host") };
  return new RequestHeaders(fields, host ?? null);
}

export function createResponseHeadersFilter(config: unknown, _env: FilterEnv): Filter {
  return new ResponseHeaders(parseHeadersConfig("response-headers", config));
}

class RequestHeaders implements Filter {
  readonly #changes: HeadersConfig;
  readonly #authority: string | null;

  constructor(changes: HeadersConfig, authority: string | null) {
    this.#changes = changes;
    this.#authority = authority;
  }

  onRequestHead(_ctx: FilterContext, head: RequestHead): Verdict {
    if (this.#authority !== null) head.authority = this.#authority;
    change(head.fields, this.#changes);
    return CONTINUE;
  }
}

class ResponseHeaders implements Filter {
  readonly #changes: HeadersConfig;

  constructor(changes: HeadersConfig) {
    this.#changes = changes;
  }

  onResponseHead(_ctx: FilterContext, head: ResponseHead): Verdict {
    change(head.fields, this.#changes);
    return CONTINUE;
  }
}

function change(fields: Fields, changes: HeadersConfig): void {
  for (const header of changes.set) fields.set(header.name, header.value);
  for (const header of changes.add) fields.append(header.name, header.value);
  for (const name of changes.remove) fields.remove(name);
}

function refuseHost(name: string, action: string): void {
  if (name !== "host") return;
  throw new Error(`Cannot read request-headers.${action}: it names "host", want it under "set"`);
}
