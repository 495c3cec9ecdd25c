/** A filter written against a published SDK (AssemblyScript, Proxy-Wasm 0.2.1), compiled and hosted unmodified. */
import assert from "node:assert/strict";
import { CONTINUE, DONE } from "../../../core/filter.ts";
import { Fields } from "../../../core/fields.ts";
import { buildAssemblyScript } from "../../../wasm/build/assemblyscript.ts";
import { inspect } from "../../../wasm/inspect.ts";
import { instrument } from "../../../wasm/instrument.ts";
import { type FilterSetup, type Settings, setUp } from "../../../wasm/testing/harness.ts";

/** Every part of the SDK that a filter commonly touches; the request's path says which one runs. */
const SOURCE = `
export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  BufferTypeValues, Context, Counter, FilterDataStatusValues, FilterHeadersStatusValues, Gauge,
  WasmResultValues, get_buffer_bytes, get_property, get_shared_data, log, LogLevelValues,
  registerRootContext, RootContext, send_http_response, set_buffer_bytes, set_property,
  set_shared_data, set_tick_period_milliseconds, stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";

let ticks: i32 = 0;

class Root extends RootContext {
  greeting: string = "hello";
  onConfigure(size: u32): bool {
    if (!super.onConfigure(size)) return false;
    const text = this.getConfiguration();
    if (text == "refuse") return false;
    if (text != "") this.greeting = text;
    set_tick_period_milliseconds(100);
    return true;
  }
  onTick(): void { ticks++; }
  createContext(id: u32): Context { return new Stream(id, this); }
}

class Stream extends Context {
  path: string = "";
  constructor(id: u32, root: Root) { super(id, root); }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    const headers = stream_context.headers.request;
    this.path = headers.get(":path");
    if (this.path == "/headers") {
      headers.add("x-greeting", (this.root_context as Root).greeting);
      headers.replace("user-agent", "replaced");
      headers.remove("x-twice");
      headers.replace(":path", "/rewritten");
      headers.add("x-count", count.toString());
      headers.add("x-missing", "[" + headers.get("x-nothing") + "]");
    } else if (this.path == "/all") {
      const all = headers.get_headers();
      const names: string[] = [];
      for (let i = 0; i < all.length; i++) names.push(String.UTF8.decode(all[i].key));
      headers.add("x-names", names.join(","));
    } else if (this.path == "/deny") {
      send_http_response(403, "denied", String.UTF8.encode("no"), []);
      return FilterHeadersStatusValues.StopIteration;
    } else if (this.path == "/property") {
      headers.add("x-route", String.UTF8.decode(get_property("route_name")));
      headers.add("x-peer",
        String.UTF8.decode(get_property("connection\\0uri_san_peer_certificate")));
      set_property("mine", String.UTF8.encode("kept"));
    } else if (this.path == "/shared") {
      const old = get_shared_data("n");
      const n = old.result == WasmResultValues.Ok
        ? I32.parseInt(String.UTF8.decode(old.value as ArrayBuffer)) : 0;
      set_shared_data("n", String.UTF8.encode((n + 1).toString()), old.cas);
      headers.add("x-shared", n.toString());
      new Counter("seen").increment(2);
      new Gauge("level").increment(5);
    } else if (this.path == "/ticks") {
      headers.add("x-ticks", ticks.toString());
    } else if (this.path == "/log") {
      log(LogLevelValues.warn, "attention");
    } else if (this.path == "/throw") {
      throw new Error("on purpose");
    } else if (this.path == "/memory") {
      const kept: ArrayBuffer[] = [];
      while (true) kept.push(new ArrayBuffer(100000));
    } else if (this.path == "/loop") {
      while (true) ticks++;
    }
    return FilterHeadersStatusValues.Continue;
  }

  onRequestBody(size: usize, end: bool): FilterDataStatusValues {
    if (this.path != "/body") return FilterDataStatusValues.Continue;
    if (!end) return FilterDataStatusValues.StopIterationAndBuffer;
    const text = String.UTF8.decode(get_buffer_bytes(BufferTypeValues.HttpRequestBody, 0, size as u32));
    set_buffer_bytes(BufferTypeValues.HttpRequestBody, 0, size as u32,
      String.UTF8.encode(text.toUpperCase() + "!"));
    return FilterDataStatusValues.Continue;
  }

  onResponseHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    if (this.path == "/property") {
      stream_context.headers.response.add("x-mine", String.UTF8.decode(get_property("mine")));
    }
    stream_context.headers.response.replace("server", "denim");
    return FilterHeadersStatusValues.Continue;
  }

  onLog(): void {
    if (this.path == "/log") log(LogLevelValues.info, "done with " + this.path);
  }
}

registerRootContext((id: u32) => new Root(id), "sdk");
`;

let built: Promise<Uint8Array<ArrayBuffer>> | null = null;

/** Compiled once for all tests; the compiler's packages are installed on first use. */
function build(): Promise<Uint8Array<ArrayBuffer>> {
  built ??= (async () => {
    const dir = await Deno.makeTempDir({ prefix: "denim-as-" });
    try {
      await Deno.writeTextFile(`${dir}/index.ts`, SOURCE);
      return await buildAssemblyScript(`${dir}/index.ts`, dir);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  })();
  return built;
}

async function filter(settings: Settings = {}): Promise<FilterSetup> {
  const bytes = instrument(await build(), { maxPages: 64, maxTable: 10_000 });
  return await setUp(bytes, { memoryBytes: 64 * 65536, fuelPerCall: 50_000_000, ...settings });
}

Deno.test("proxy-wasm SDK: inspection knows the language, ABI and hooks", async () => {
  const found = inspect(await build());
  assert.equal(found.abi, "proxy-wasm 0.2.1");
  assert.equal(found.language, "assemblyscript");
  assert.deepEqual(found.unknownImports, []);
  assert.ok(found.hooks.includes("request-headers") && found.hooks.includes("tick"));
});

Deno.test("proxy-wasm SDK: headers are added, replaced, removed and read", async () => {
  const s = await filter({ config: "grüezi" });
  const x = s.exchange({ path: "/headers" });
  assert.equal(x.requestHead(), CONTINUE);
  assert.equal(x.request.path, "/rewritten");
  assert.deepEqual(x.request.fields.lines.slice(0, 2), ["user-agent", "replaced"]);
  const greeting = x.request.fields.get("x-greeting")!;
  assert.equal(
    new TextDecoder().decode(Uint8Array.from(greeting, (c) => c.charCodeAt(0))),
    "grüezi",
  );
  assert.equal(x.request.fields.get("x-count"), "7");
  assert.equal(x.request.fields.get("x-missing"), "[]");
  assert.equal(x.request.fields.has("x-twice"), false);
  assert.equal(x.responseHead(false, 200, ["server", "origin"]), CONTINUE);
  assert.deepEqual(x.response!.fields.lines, ["server", "denim"]);
  x.end();
});

Deno.test("proxy-wasm SDK: the whole map is read at once", async () => {
  const x = (await filter()).exchange({ path: "/all" });
  x.requestHead();
  assert.equal(
    x.request.fields.get("x-names"),
    ":authority,:path,:method,:scheme,user-agent,x-twice,x-twice",
  );
});

Deno.test("proxy-wasm SDK: a local response answers", async () => {
  const x = (await filter()).exchange({ path: "/deny" });
  assert.equal(x.requestHead(), DONE);
  assert.deepEqual([x.reply!.status, x.reply!.body], [403, "no"]);
});

Deno.test("proxy-wasm SDK: a body is buffered and replaced", async () => {
  const x = (await filter()).exchange({ path: "/body", fields: new Fields() });
  x.requestHead(false);
  assert.equal(x.requestData("ab"), "");
  assert.equal(x.requestData("cd", true), "ABCD!");
});

Deno.test("proxy-wasm SDK: properties are read, and kept for the exchange", async () => {
  const x = (await filter()).exchange({ path: "/property" });
  x.requestHead();
  x.responseHead();
  assert.equal(x.request.fields.get("x-route"), "default/route/0");
  assert.equal(x.request.fields.get("x-peer"), "spiffe://mesh.local/ns/default/sa/web");
  assert.equal(x.response!.fields.get("x-mine"), "kept");
});

Deno.test("proxy-wasm SDK: shared data and metrics last over exchanges", async () => {
  const s = await filter();
  for (const n of ["0", "1", "2"]) {
    const x = s.exchange({ path: "/shared" });
    x.requestHead();
    assert.equal(x.request.fields.get("x-shared"), n);
  }
  assert.ok(s.metrics.render().includes('name="seen"} 6'));
  assert.ok(s.metrics.render().includes('name="level"} 15'));
});

Deno.test("proxy-wasm SDK: ticks come", async () => {
  const s = await filter();
  for (let i = 0; i < 2; i++) {
    s.clock.ms += 120;
    s.wheel.advance();
  }
  const x = s.exchange({ path: "/ticks" });
  x.requestHead();
  assert.equal(x.request.fields.get("x-ticks"), "2");
});

Deno.test("proxy-wasm SDK: logs reach the proxy's log, in on_log too", async () => {
  const s = await filter();
  const x = s.exchange({ path: "/log" });
  x.requestHead();
  x.end();
  const lines = s.notes();
  assert.ok(lines.some((l) => l.includes("attention")), lines.join("|"));
  assert.ok(lines.some((l) => l.includes("done with /log")), lines.join("|"));
});

Deno.test("proxy-wasm SDK: a configuration it refuses never comes into force", async () => {
  await assert.rejects(filter({ config: "refuse" }), /refused its configuration/);
});

const ENDS: Readonly<Record<string, readonly [string, RegExp]>> = {
  "/throw": ["wasm.trapped", /proc_exit\(255\).*it had logged: .*on purpose/],
  "/memory": ["wasm.trapped", /memory|proc_exit/i],
  "/loop": ["wasm.out_of_fuel", /Out of fuel after 50000000/],
};

for (const [path, [code, text]] of Object.entries(ENDS)) {
  Deno.test(`proxy-wasm SDK: ${path} ends with ${code} and the next request is served`, async () => {
    const s = await filter();
    const x = s.exchange({ path });
    x.requestHead();
    assert.equal(x.fault!.code, code);
    assert.match(s.reports.list()[0]!.lastTrap, text);
    const next = s.exchange({ path: "/headers" });
    assert.equal(next.requestHead(), CONTINUE);
    assert.equal(next.request.path, "/rewritten");
  });
}
