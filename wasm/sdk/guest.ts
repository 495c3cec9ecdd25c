/** Turns a filter definition into the exports of the world: the only part of the SDK that knows there is one. */
import { type ConfigOf, readConfig, type Shape } from "./config.ts";
import { Context, type FilterDefinition, type HookResult, Reply } from "./define.ts";
import { FilterBody, FilterRequest, FilterResponse } from "./message.ts";
import { hostReady } from "./utf8.ts";
import { finish } from "./waiting.ts";
import {
  type BodyVerdictRecord,
  type Capabilities,
  type Edits,
  type Ending,
  type FilterExports,
  lastPhase,
  type PhaseName,
  type VerdictRecord,
} from "./wit.ts";

/** Exchanges remembered at once; the oldest is forgotten first, so that those cut short cannot pile up. */
const EXCHANGES_LIMIT = 4096;
const DEFAULT_MAX_BODY = 1024 * 1024;

/** The guest's side of the world `denim:filter`, for one definition. */
export function serve<S extends Shape>(definition: FilterDefinition<S>): FilterExports {
  type Ctx = Context<ConfigOf<S>>;
  const exchanges = new Map<number, Ctx>();
  const { phases } = capabilitiesOf(definition);
  // onEnd wants the context later than any other hook.
  const last = definition.onEnd === undefined ? lastPhase(phases) : "log";
  let config = {} as ConfigOf<S>;

  function contextOf(id: number): Ctx {
    let ctx = exchanges.get(id);
    if (ctx === undefined) {
      ctx = new Context(id, config);
      if (exchanges.size >= EXCHANGES_LIMIT) exchanges.delete(exchanges.keys().next().value!);
      exchanges.set(id, ctx);
    }
    return ctx;
  }

  /**
   * Forgets an exchange after its last hook; the host calls onEnd for those that never get there.
   * `body` is the phase that cannot come any more because the message has ended.
   */
  function passed(id: number, phase: PhaseName, body: PhaseName | null): void {
    if (phase === last || body === last) exchanges.delete(id);
  }

  return {
    configure(json) {
      hostReady();
      // A thrown string becomes the error of the world's result type.
      const start = (): void | Promise<void> => {
        config = readConfig(definition.config ?? ({} as S), json);
        return definition.start?.(config);
      };
      return finish(start, () => capabilitiesOf(definition), (error) => {
        throw error instanceof Error ? error.message : String(error);
      });
    },
    onRequestHeaders(id, head, end) {
      const ctx = contextOf(id);
      const request = ctx.request = new FilterRequest(head);
      passed(id, "request-headers", end ? "request-body" : null);
      return headVerdict(() => definition.onRequest?.(request, ctx), request);
    },
    onRequestBody(id, chunk, end) {
      const ctx = contextOf(id);
      const request = ctx.request!, body = new FilterBody(chunk, end);
      if (end) passed(id, "request-body", null);
      return bodyVerdict(() => definition.onRequestBody!(body, request, ctx), body, request);
    },
    onRequestTrailers: pass,
    onResponseHeaders(id, head, end) {
      const ctx = contextOf(id);
      const response = ctx.response = new FilterResponse(head);
      passed(id, "response-headers", end ? "response-body" : null);
      return headVerdict(() => definition.onResponse?.(response, ctx), response);
    },
    onResponseBody(id, chunk, end) {
      const ctx = contextOf(id);
      const response = ctx.response!, body = new FilterBody(chunk, end);
      if (end) passed(id, "response-body", null);
      return bodyVerdict(() => definition.onResponseBody!(body, response, ctx), body, response);
    },
    onResponseTrailers: pass,
    onEnd(id, outcome) {
      if (definition.onEnd === undefined) return void exchanges.delete(id);
      const ctx = contextOf(id);
      exchanges.delete(id);
      finish(() => definition.onEnd!(ctx, outcome), () => {}, (error) => {
        throw error;
      });
    },
  };
}

function capabilitiesOf<S extends Shape>(definition: FilterDefinition<S>): Capabilities {
  const requestBody = definition.onRequestBody === undefined
    ? "none"
    : definition.requestBody ?? "buffered";
  const responseBody = definition.onResponseBody === undefined
    ? "none"
    : definition.responseBody ?? "buffered";
  const phases: PhaseName[] = [];
  // Body hooks get the head as well, so they need its phase.
  if (definition.onRequest !== undefined || requestBody !== "none") phases.push("request-headers");
  if (requestBody !== "none") phases.push("request-body");
  if (definition.onResponse !== undefined || responseBody !== "none") {
    phases.push("response-headers");
  }
  if (responseBody !== "none") phases.push("response-body");
  if (definition.onEnd !== undefined) phases.push("log");
  return { phases, requestBody, responseBody, maxBody: definition.maxBody ?? DEFAULT_MAX_BODY };
}

function headVerdict(
  hook: () => HookResult,
  message: { takeEdits(): Edits },
): VerdictRecord {
  const done = (reply: Reply | void): VerdictRecord =>
    reply instanceof Reply ? reply.record : { tag: "continue", val: message.takeEdits() };
  return finish(hook, done, failed);
}

function bodyVerdict(
  hook: () => HookResult,
  body: FilterBody,
  message: { takeEdits(): Edits },
): BodyVerdictRecord {
  const done = (reply: Reply | void): BodyVerdictRecord => {
    if (reply instanceof Reply) return reply.record;
    const edits = body.takeEdits(message.takeEdits());
    return edits === null ? { tag: "pass" } : { tag: "continue", val: edits };
  };
  return finish(hook, done, failed);
}

function failed(error: unknown): Ending {
  const text = error instanceof Error
    ? `${error.name}: ${error.message}\n${error.stack ?? ""}`.trimEnd()
    : String(error);
  return { tag: "failed", val: text };
}

function pass(): VerdictRecord {
  return { tag: "continue", val: { head: [] } };
}
