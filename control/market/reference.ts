/** The reference trace: the same few exchanges for every filter, so that what is measured can be compared. */
import { DONE, type Filter, type FilterContext, type Verdict } from "../../core/filter.ts";
import { type Fault } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly requestFields: readonly string[];
  readonly requestBody: string;
  readonly status: number;
  readonly responseFields: readonly string[];
  readonly responseBody: string;
}

const BROWSER = [
  ...["accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"],
  ...["accept-encoding", "gzip, br"],
  ...["accept-language", "en-GB,en;q=0.7"],
  ...["cookie", "session=4f1d2c; theme=dark"],
  ...["user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"],
  ...["x-request-id", "0b6e8c9e-7b7a-4a57-9d3e-0f6a1f0d3c11"],
  ...["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
  ...["x-forwarded-for", "203.0.113.7"],
];

const PERSON = JSON.stringify({
  items: Array.from({ length: 8 }, (_, i) => ({
    id: i,
    name: `Person ${i}`,
    email: `person${i}@example.com`,
    phone: "+44 20 7946 0018",
    note: "ordinary text of no meaning, long enough to be worth looking at",
  })),
});

export const REFERENCE: readonly Exchange[] = [
  {
    method: "GET",
    path: "/people?page=2",
    requestFields: BROWSER,
    requestBody: "",
    status: 200,
    responseFields: ["content-type", "application/json", "content-length", String(PERSON.length)],
    responseBody: PERSON,
  },
  {
    method: "POST",
    path: "/people",
    requestFields: [
      ...["accept", "*/*", "content-type", "application/json"],
      ...["content-length", String(PERSON.length), "authorization", "Bearer none"],
    ],
    requestBody: PERSON,
    status: 201,
    responseFields: ["location", "/people/9", "content-length", "0"],
    responseBody: "",
  },
  {
    method: "GET",
    path: "/missing",
    requestFields: ["user-agent", "curl/8"],
    requestBody: "",
    status: 404,
    responseFields: ["content-type", "text/plain", "content-length", "10"],
    responseBody: "not found\n",
  },
];

/** Runs one exchange through a filter alone, as a proxy would; `around` is called around every hook. */
export function runExchange(
  filter: Filter,
  exchange: Exchange,
  around: <T>(hook: keyof Filter, call: () => T) => T,
): void {
  const ctx = new ReferenceContext(exchange);
  const encoder = new TextEncoder();
  const request = encoder.encode(exchange.requestBody);
  const response = encoder.encode(exchange.responseBody);
  const head = ctx.request;
  hook("onRequestHead", () => filter.onRequestHead?.(ctx, head, request.length === 0));
  if (request.length > 0) {
    hook("onRequestData", () => filter.onRequestData?.(ctx, request, true));
  }
  ctx.response = { status: exchange.status, fields: new Fields([...exchange.responseFields]) };
  const answer = ctx.response;
  hook("onResponseHead", () => filter.onResponseHead?.(ctx, answer, response.length === 0));
  if (response.length > 0) {
    hook("onResponseData", () => filter.onResponseData?.(ctx, response, true));
  }
  around("onEnd", () => filter.onEnd?.(ctx));

  function hook(name: keyof Filter, call: () => unknown): void {
    if (!ctx.over && filter[name] !== undefined) around(name, call);
  }
}

class ReferenceContext implements FilterContext {
  readonly request: RequestHead;
  response: ResponseHead | null = null;
  readonly peer = "spiffe://reference.local/ns/default/sa/client";
  readonly remote = "192.0.2.1:40000";
  readonly routeName = "default/reference/0";
  readonly backendName = "default/reference:80";
  readonly version = "reference";
  readonly slots: unknown[] = [];
  readonly claims = null;
  refusedBy = "";
  /** A local reply or a fault ended it. */
  over = false;

  constructor(exchange: Exchange) {
    this.request = {
      method: exchange.method,
      scheme: "http",
      authority: "reference.local",
      path: exchange.path,
      fields: new Fields([...exchange.requestFields]),
    };
  }

  respond(_status: number, _fields?: Fields, _body?: Uint8Array): Verdict {
    this.over = true;
    return DONE;
  }

  fail(_fault: Fault): Verdict {
    this.over = true;
    return DONE;
  }

  failAttempt(_fault: Fault): void {}
  resume(): void {}
}
