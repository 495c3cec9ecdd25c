/** A `wasi:http/incoming-handler` as the exports of `denim:filter`: it answers every request itself. */
import { WASM_LIMITS } from "../limits.ts";
import { answerBy } from "./wasi_http.ts";
import type { FilterExports, RequestHeadRecord, VerdictRecord } from "./wit.ts";

export interface Handler {
  handle(request: unknown, out: unknown): void;
}

export function handlerExports(handler: Handler): FilterExports {
  const waiting = new Map<bigint, RequestHeadRecord>();
  const handle = handler.handle.bind(handler);
  const pass = (): VerdictRecord => ({ tag: "continue", val: { head: [] } });

  function answer(head: RequestHeadRecord, body: Uint8Array): VerdictRecord {
    const made = answerBy(handle, head, body);
    return typeof made === "string" ? { tag: "failed", val: made } : { tag: "respond", val: made };
  }

  return {
    configure: () => ({
      phases: ["request-headers", "request-body"],
      requestBody: "buffered",
      responseBody: "none",
      maxBody: WASM_LIMITS.bodyBytes,
    }),
    onRequestHeaders(id, head, end) {
      if (end) return answer(head, new Uint8Array(0));
      waiting.set(id, head);
      return pass();
    },
    onRequestBody(id, body) {
      const head = waiting.get(id);
      waiting.delete(id);
      if (head === undefined) return { tag: "pass" };
      const said = answer(head, body);
      return said.tag === "continue" ? { tag: "pass" } : said;
    },
    onRequestTrailers: pass,
    onResponseHeaders: pass,
    onResponseBody: () => ({ tag: "pass" }),
    onResponseTrailers: pass,
    onEnd: (id) => void waiting.delete(id),
  };
}
