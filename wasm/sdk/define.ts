/** What a filter is: its hooks, its configuration, and the context its hooks get. */
import { fuelLeft, nowNs, peerIdentity, property, traceParent } from "denim:filter/host@0.1.0";
import type { ConfigOf, Shape } from "./config.ts";
import { contentOf, type FilterBody, type FilterRequest, type FilterResponse } from "./message.ts";
import type { Ending } from "./wit.ts";

/** Returned from a hook to end the exchange there; made by `ctx.respond` and `ctx.reset`. */
export class Reply {
  readonly record: Ending;
  constructor(record: Ending) {
    this.record = record;
  }
}

/** Who is on the other end of the connection. */
export interface Peer {
  /** `spiffe://…`, or "" when the connection proved none. */
  readonly spiffeId: string;
  readonly mtls: boolean;
  /** `ip:port` */
  readonly address: string;
}

/** One exchange, from its first hook to its last. */
export class Context<C> {
  /** Unique within this instance of the filter. */
  readonly id: number;
  readonly config: C;
  /** Set before `onRequest`; null in a filter that has no `onRequest`. */
  request: FilterRequest | null = null;
  response: FilterResponse | null = null;
  /** Yours: whatever later hooks of the same exchange should know. */
  readonly state: Record<string, unknown> = {};

  constructor(id: number, config: C) {
    this.id = id;
    this.config = config;
  }

  /** Answers from here: `return ctx.respond(403, "no")`. */
  respond(
    status: number,
    body: string | Uint8Array = "",
    headers: Readonly<Record<string, string>> = {},
  ): Reply {
    const lines = Object.entries(headers).map(([name, value]): [string, string] => [
      name.toLowerCase(),
      value,
    ]);
    return new Reply({
      tag: "respond",
      val: { status, headers: lines, body: contentOf(body), details: "" },
    });
  }

  /** Cuts the exchange: `return ctx.reset("why")`. */
  reset(reason: string): Reply {
    return new Reply({ tag: "reset", val: reason });
  }

  get peer(): Peer {
    const record = peerIdentity();
    return { spiffeId: record.spiffeId ?? "", mtls: record.mtls, address: record.address };
  }

  /** Name of the route the exchange took. */
  get route(): string {
    return this.#text("route_name");
  }

  /** Name of the backend it was sent to, "" before that is known. */
  get backend(): string {
    return this.#text("backend_name");
  }

  /** The configuration in force: the content hash of a revision. */
  get revision(): string {
    return this.#text("revision");
  }

  get traceParent(): string {
    return traceParent();
  }

  /** Milliseconds since the epoch, with a fraction. */
  get now(): number {
    return Number(nowNs()) / 1e6;
  }

  /** Work this call may still do before the proxy stops it. */
  get fuelLeft(): number {
    return Number(fuelLeft());
  }

  #text(name: string): string {
    const bytes = property([name]);
    return bytes === undefined || bytes === null ? "" : new TextDecoder().decode(bytes);
  }
}

/** A hook that ends the exchange returns ctx.respond(…) or ctx.reset(…), others nothing; it may be async. */
export type HookResult = Reply | void | undefined | Promise<Reply | void | undefined>;

export interface FilterDefinition<S extends Shape> {
  readonly name: string;
  readonly version: string;
  /** Fields of the configuration, e.g. `{ mask: text("***") }`; none when left out. */
  readonly config?: S;
  /** Once per instance, when the configuration has been read; throw to refuse it. */
  start?(config: ConfigOf<S>): void | Promise<void>;
  onRequest?(request: FilterRequest, ctx: Context<ConfigOf<S>>): HookResult;
  /** The whole body (or a piece, see `requestBody`); the head has not been sent yet and may still be changed. */
  onRequestBody?(body: FilterBody, request: FilterRequest, ctx: Context<ConfigOf<S>>): HookResult;
  onResponse?(response: FilterResponse, ctx: Context<ConfigOf<S>>): HookResult;
  onResponseBody?(
    body: FilterBody,
    response: FilterResponse,
    ctx: Context<ConfigOf<S>>,
  ): HookResult;
  /** The exchange is over; `outcome` is "" or the code of what went wrong. */
  onEnd?(ctx: Context<ConfigOf<S>>, outcome: string): void | Promise<void>;
  /** How body hooks are fed: at once (the default), or piece by piece without holding the head. */
  readonly requestBody?: "buffered" | "streamed";
  readonly responseBody?: "buffered" | "streamed";
  /** Largest body a buffered hook takes, in bytes; larger ones are refused. Default 1 MiB. */
  readonly maxBody?: number;
}

/** Gives the definition its types. */
export function defineFilter<const S extends Shape = Record<never, never>>(
  definition: FilterDefinition<S>,
): FilterDefinition<S> {
  return definition;
}
