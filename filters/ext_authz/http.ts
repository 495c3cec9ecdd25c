/**
 * Providers that speak HTTP, asked as Envoy's ext_authz filter asks its HTTP service: with the method, path and
 * host of the request. 200 lets it pass, 5xx is no answer, anything else is the client's.
 */
import type { CallAnswer } from "../../core/calls.ts";
import type { FilterContext } from "../../core/filter.ts";
import { Fields } from "../../core/fields.ts";
import {
  type Decision,
  failed,
  PARTIAL_FIELD,
  PRINCIPAL_FIELD,
  type Protocol,
  type Question,
} from "./answer.ts";
import type { ExtAuthzConfig, HttpConfig } from "./config.ts";
import { ADD, mayChange, Mutations, SET } from "./mutations.ts";
import { isFirstLine } from "./names.ts";

/** Shown in any case: what a question is mostly about, what it is found by in logs, and what ends circles. */
const SHOWN: ReadonlySet<string> = new Set(["authorization", "x-request-id", "via"]);
/** The client gets these in any case: without them a refusal cannot be understood. */
const EXPLAINING: ReadonlySet<string> = new Set(["www-authenticate", "location", "content-type"]);

export class HttpProtocol implements Protocol {
  readonly #config: ExtAuthzConfig;
  readonly #http: HttpConfig;

  constructor(config: ExtAuthzConfig, http: HttpConfig) {
    this.#config = config;
    this.#http = http;
  }

  ask(ctx: FilterContext, body: Uint8Array, partial: boolean): Question {
    const { method, scheme, authority, path, fields } = ctx.request;
    const { include, pathPrefix } = this.#http;
    const { lines } = fields;
    const shown: string[] = [];
    for (let i = 0; i < lines.length; i += 2) {
      const name = lines[i]!;
      if (name === "content-length" || name === PRINCIPAL_FIELD || name === PARTIAL_FIELD) continue;
      if (SHOWN.has(name) || include.has(name)) shown.push(name, lines[i + 1]!);
    }
    if (ctx.peer !== "") shown.push(PRINCIPAL_FIELD, ctx.peer);
    if (this.#config.body !== null) shown.push(PARTIAL_FIELD, partial ? "true" : "false");
    const question = new Fields(shown);
    const more = this.#config.fields;
    for (let i = 0; i < more.length; i += 2) question.set(more[i]!, more[i + 1]!);
    if (body.length > 0) question.append("content-length", String(body.length));
    const head = {
      // Asked as a CONNECT, a question would be one for a tunnel.
      method: method === "CONNECT" ? "GET" : method,
      scheme,
      authority,
      path: pathPrefix + (path === "*" ? "/" : path),
      fields: question,
    };
    return { head, body };
  }

  read({ status, fields: { lines }, body }: CallAnswer): Decision {
    if (status >= 500) return failed(`it answered ${status}`);
    const { toUpstream, toClientOnAllow, toClientOnDeny } = this.#http;
    if (status !== 200) {
      const fields = new Mutations();
      for (let i = 0; i < lines.length; i += 2) {
        const name = lines[i]!;
        const passes = toClientOnDeny === null || toClientOnDeny.has(name) || EXPLAINING.has(name);
        if (passes && mayChange(name)) fields.put(ADD, name, lines[i + 1]!);
      }
      if (fields.broken) return failed("its answer has too many fields, or malformed ones");
      return { kind: "deny", status, fields, body };
    }
    const request = new Mutations(), response = new Mutations();
    for (let i = 0; i < lines.length; i += 2) {
      const name = lines[i]!, value = lines[i + 1]!;
      // The first of a name takes the place of what the client sent; more of that name follow it.
      if (toUpstream.has(name)) request.put(isFirstLine(lines, i) ? SET : ADD, name, value);
      if (toClientOnAllow.has(name)) response.put(ADD, name, value);
    }
    if (request.broken || response.broken) {
      return failed("its answer has too many fields, or malformed ones");
    }
    return { kind: "allow", request, response };
  }
}
