/** Watches a filter at work: every callback with what it changed, cost and said. */
import { CONTINUE, type Filter, type FilterContext, type Verdict } from "../../../core/filter.ts";
import type { Fields } from "../../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../../core/message.ts";

/** What the filter has used and said so far. */
export interface Meter {
  fuel(): number;
  /** Lines it has logged so far. */
  logged(): number;
}

/** One callback of the filter. */
export interface Callback {
  readonly hook:
    | "request headers"
    | "request body"
    | "request trailers"
    | "response headers"
    | "response body"
    | "response trailers"
    | "end";
  readonly fuel: number;
  /** Index of its first line in the log, and of the first after it. */
  readonly logs: readonly [number, number];
  /** `+name: value`, `-name: value`. */
  readonly diff: readonly string[];
  readonly verdict: string;
}

const VERDICTS = ["", "holds", "answered", "retry", "collects the body"] as const;

/** A filter that does what `filter` does and tells `seen` of every callback. */
export function observe(
  filter: Filter,
  meter: Meter,
  seen: (callback: Callback, ctx: FilterContext) => void,
  begins: (ctx: FilterContext) => void = () => {},
): Filter {
  const watch = <T>(
    hook: Callback["hook"],
    ctx: FilterContext,
    lines: () => readonly string[],
    call: () => T,
    say: (result: T) => string,
  ): T => {
    begins(ctx); // one callback may run inside another: a local reply passes the response's
    const before = lines().slice(), fuel = meter.fuel(), logged = meter.logged();
    const result = call();
    seen({
      hook,
      fuel: meter.fuel() - fuel,
      logs: [logged, meter.logged()],
      diff: difference(before, lines()),
      verdict: say(result),
    }, ctx);
    return result;
  };
  const verdict = (v: Verdict): string => v === CONTINUE ? "" : VERDICTS[v];
  const data = (given: Uint8Array) => (out: Uint8Array | null): string => {
    if (out === null) return "holds";
    if (out === given) return "";
    return out.length === 0 && given.length > 0
      ? "keeps the bytes"
      : `${given.length} → ${out.length} bytes`;
  };
  const none = (): readonly string[] => [];
  const watched: Filter = {};
  const { onRequestHead, onRequestData, onRequestTrailers, onAttempt, onOutcome } = filter;
  const { onResponseHead, onResponseData, onResponseTrailers, onEnd, close } = filter;
  if (onRequestHead) {
    watched.onRequestHead = (ctx, head, end) =>
      watch(
        "request headers",
        ctx,
        () => requestLines(head),
        () => onRequestHead.call(filter, ctx, head, end),
        verdict,
      );
  }
  if (onRequestData) {
    watched.onRequestData = (ctx, bytes, end) =>
      watch(
        "request body",
        ctx,
        () => requestLines(ctx.request),
        () => onRequestData.call(filter, ctx, bytes, end),
        data(bytes),
      );
  }
  if (onRequestTrailers) {
    watched.onRequestTrailers = (ctx, fields) =>
      watch(
        "request trailers",
        ctx,
        () => pairs(fields),
        () => onRequestTrailers.call(filter, ctx, fields),
        verdict,
      );
  }
  if (onResponseHead) {
    watched.onResponseHead = (ctx, head, end) =>
      watch(
        "response headers",
        ctx,
        () => responseLines(head),
        () => onResponseHead.call(filter, ctx, head, end),
        verdict,
      );
  }
  if (onResponseData) {
    watched.onResponseData = (ctx, bytes, end) =>
      watch(
        "response body",
        ctx,
        () => ctx.response === null ? [] : responseLines(ctx.response),
        () => onResponseData.call(filter, ctx, bytes, end),
        data(bytes),
      );
  }
  if (onResponseTrailers) {
    watched.onResponseTrailers = (ctx, fields) =>
      watch(
        "response trailers",
        ctx,
        () => pairs(fields),
        () => onResponseTrailers.call(filter, ctx, fields),
        verdict,
      );
  }
  if (onEnd) {
    watched.onEnd = (ctx) => watch("end", ctx, none, () => onEnd.call(filter, ctx), () => "");
  }
  if (onAttempt) watched.onAttempt = onAttempt.bind(filter);
  if (onOutcome) watched.onOutcome = onOutcome.bind(filter);
  if (close) watched.close = close.bind(filter);
  return watched;
}

function requestLines(head: RequestHead): string[] {
  return [
    `:method: ${head.method}`,
    `:authority: ${head.authority}`,
    `:path: ${head.path}`,
    ...pairs(head.fields),
  ];
}

function responseLines(head: ResponseHead): string[] {
  return [`:status: ${head.status}`, ...pairs(head.fields)];
}

function pairs(fields: Fields): string[] {
  const { lines } = fields;
  return Array.from({ length: fields.size }, (_, i) => `${lines[i * 2]}: ${lines[i * 2 + 1]}`);
}

/** What is in one list and not in the other, as often as it is. */
function difference(before: readonly string[], after: readonly string[]): string[] {
  const left = [...before];
  const added: string[] = [];
  for (const line of after) {
    const at = left.indexOf(line);
    if (at < 0) added.push(`+${line}`);
    else left.splice(at, 1);
  }
  return [...left.map((line) => `-${line}`), ...added];
}
