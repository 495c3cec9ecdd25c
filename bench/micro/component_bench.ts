/** Microseconds of one exchange through a TypeScript filter, hook by hook, when the engine is warm. */
import { Fields } from "../../core/fields.ts";
import { systemClock } from "../../core/clock.ts";
import { type Calls, NO_CALLS } from "../../core/calls.ts";
import { DONE, type Filter, type FilterContext, PAUSE, type Verdict } from "../../core/filter.ts";
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

/** The same, but it asks somebody about every request, who answers at once. */
const ASKING = SOURCE.replace(
  "onRequest(request, ctx) {",
  'async onRequest(request, ctx) { await fetch("http://auth/");',
);

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
  /** Told when a filter that waited goes on. */
  resumed: () => void = () => {};
  resume(): void {
    this.resumed();
  }
}

const AT_ONCE: Calls = {
  ...NO_CALLS,
  call(_request, sink) {
    const answer = { fault: null, status: 204, fields: new Fields(), body: new Uint8Array(0) };
    sink.called({ ...answer, trailers: null });
    return { cancel() {} };
  },
};

/** Runs the bench; the numbers are microseconds. `asking`: a filter that waits for an answer. */
export async function benchComponent(asking = false): Promise<Record<string, number>> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/filter.ts`, asking ? ASKING : SOURCE);
    const component = await buildTypeScript(`${folder}/filter.ts`, folder);
    const { bundle } = await bundleComponent(component, { memoryBytes: 16 * 1024 * 1024 });
    const from = performance.now();
    const plugin = await loadComponent(bundle, {
      name: "bench/component",
      digest: "",
      config: "",
      capabilities: new Set(Object.keys(CAPABILITIES)),
      limits: {
        fuelPerCall: 10_000_000,
        memoryBytes: 16 * 1024 * 1024,
        fuelPerSecond: Number.MAX_SAFE_INTEGER, // it is the engine that is measured here
      },
      failOpen: false,
      clock: systemClock,
      metrics: new Metrics(),
      log: silentLog,
      upstreams: new Map([["auth", { backend: "auth", fields: [] }]]),
    });
    plugin.adopt(AT_ONCE);
    const loadMs = performance.now() - from;
    const filter = createComponentFilter(plugin, 0, () => {});
    const runs = asking ? runAsking : run;
    await runs(filter, WARM);
    const before = plugin.cost.fuel;
    const us = await runs(filter, ROUNDS);
    return {
      exchangeUs: round(us / ROUNDS),
      callUs: round(us / ROUNDS / 2),
      fuelPerCall: Math.round((plugin.cost.fuel - before) / ROUNDS / 2),
      loadMs: round(loadMs),
      componentBytes: component.length,
      bundleBytes: bundle.length,
      instanceBytes: asking ? plugin.memoryBytes : plugin.memoryBytes / 2,
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

async function runAsking(filter: Filter, times: number): Promise<number> {
  const from = performance.now();
  for (let i = 0; i < times; i++) {
    const ctx = new Exchange();
    await paused(ctx, () => filter.onRequestHead!(ctx, ctx.request, true));
    ctx.response = { status: 200, fields: new Fields(RESPONSE.slice()) };
    await paused(ctx, () => filter.onResponseHead!(ctx, ctx.response!, true));
    filter.onEnd!(ctx);
  }
  return (performance.now() - from) * 1000;
}

function paused(ctx: Exchange, hook: () => Verdict): Promise<void> {
  return new Promise((resolve) => {
    ctx.resumed = resolve;
    if (hook() !== PAUSE) resolve();
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

if (import.meta.main) {
  console.log(JSON.stringify(await benchComponent()));
  console.log(JSON.stringify({ asking: await benchComponent(true) }));
}
