/** Microseconds of one exchange through a TypeScript filter, hook by hook, when the engine is warm. */
import { Fields } from "../../core/fields.ts";
import { systemClock } from "../../core/clock.ts";
import { DONE, type Filter, type FilterContext, type Verdict } from "../../core/filter.ts";
import { silentLog } from "../../core/log.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import { Metrics } from "../../core/metrics.ts";
import { CAPABILITIES } from "../../wasm/capabilities.ts";
import { bundleComponent } from "../../wasm/build/component.ts";
import { buildTypeScript } from "../../wasm/build/typescript.ts";
import { createComponentFilter, loadComponent } from "../../wasm/component/mod.ts";

const SOURCE = `
import { defineFilter, text } from "denim/filter";
export default defineFilter({
  name: "bench",
  version: "1.0.0",
  config: { value: text("on") },
  onRequest(request, ctx) {
    if (request.headers.get("x-blocked") !== null) return ctx.respond(403);
    request.headers.set("x-bench", ctx.config.value);
  },
  onResponse(response) {
    response.headers.set("x-bench", "done");
  },
});
`;

const REQUEST = Array.from({ length: 12 }, (_, i) => [`x-header-${i}`, `value of header ${i}`])
  .flat();
const RESPONSE = ["content-type", "application/json", "content-length", "42", "server", "app"];
const WARM = 5000, ROUNDS = 20_000;

class Exchange implements FilterContext {
  readonly request: RequestHead = {
    method: "GET",
    scheme: "http",
    authority: "app",
    path: "/a?b=c",
    fields: new Fields(REQUEST.slice()),
  };
  response: ResponseHead | null = null;
  readonly peer = "";
  readonly remote = "127.0.0.1:1";
  readonly routeName = "route";
  readonly backendName = "backend";
  readonly version = "v";
  readonly slots: unknown[] = [];
  readonly claims = null;
  refusedBy = "";
  respond(): Verdict {
    return DONE;
  }
  fail(): Verdict {
    return DONE;
  }
  failAttempt(): void {}
  resume(): void {}
}

/** Runs the bench; the numbers are microseconds. */
export async function benchComponent(): Promise<Record<string, number>> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/filter.ts`, SOURCE);
    const component = await buildTypeScript(`${folder}/filter.ts`, folder);
    const { bundle } = await bundleComponent(component, { memoryBytes: 16 * 1024 * 1024 });
    const from = performance.now();
    const plugin = await loadComponent(bundle, {
      name: "bench/component",
      digest: "",
      config: "",
      capabilities: new Set(Object.keys(CAPABILITIES)),
      limits: { fuelPerCall: 10_000_000, memoryBytes: 16 * 1024 * 1024 },
      failOpen: false,
      clock: systemClock,
      metrics: new Metrics(),
      log: silentLog,
    });
    const loadMs = performance.now() - from;
    const filter = createComponentFilter(plugin, 0, () => {});
    run(filter, WARM);
    const before = plugin.cost.fuel;
    const us = run(filter, ROUNDS);
    return {
      exchangeUs: round(us / ROUNDS),
      callUs: round(us / ROUNDS / 2),
      fuelPerCall: Math.round((plugin.cost.fuel - before) / ROUNDS / 2),
      loadMs: round(loadMs),
      componentBytes: component.length,
      bundleBytes: bundle.length,
      instanceBytes: plugin.memoryBytes / 2,
      traps: plugin.traps,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function run(filter: Filter, times: number): number {
  const from = performance.now();
  for (let i = 0; i < times; i++) {
    const ctx = new Exchange();
    filter.onRequestHead!(ctx, ctx.request, true);
    ctx.response = { status: 200, fields: new Fields(RESPONSE.slice()) };
    filter.onResponseHead!(ctx, ctx.response, true);
  }
  return (performance.now() - from) * 1000;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

if (import.meta.main) console.log(JSON.stringify(await benchComponent()));
