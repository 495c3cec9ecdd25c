/** What `denim filter new` writes, by language. */

export type TemplateLanguage = "ts" | "as" | "wat";

/** File contents by path for a filter called `publisher/name`. */
export function templateOf(language: TemplateLanguage, name: string): Record<string, string> {
  const short = name.split("/")[1]!;
  const files = { ...SOURCES[language](short), "denim.filter.yaml": manifest(language, name) };
  return language === "ts" ? { ...files, "deno.json": editorConfig() } : files;
}

/** Only for editors and `deno check`: the build knows the SDK by itself. */
function editorConfig(): string {
  const sdk = (file: string): string => new URL(`../../wasm/sdk/${file}`, import.meta.url).href;
  const host = ["host", "kv", "metrics"].map((
    name,
  ) => [`denim:filter/${name}@0.1.0`, sdk("double.ts")]);
  const imports = { "denim/filter": sdk("mod.ts"), ...Object.fromEntries(host) };
  return `${JSON.stringify({ imports }, null, 2)}\n`;
}

function manifest(language: TemplateLanguage, name: string): string {
  const { source, word } = {
    ts: { source: "filter.ts", word: "typescript" },
    as: { source: "assembly/index.ts", word: "assemblyscript" },
    wat: { source: "filter.wat", word: "wat" },
  }[language];
  return `apiVersion: denim.dev/v1
name: ${name}
version: "0.1.0"
title: ${name.split("/")[1]}
summary: Adds a header to every response.
categories: [custom]
source: ${source}
language: ${word}
phase: TRANSFORM
`;
}

const SOURCES: Readonly<Record<TemplateLanguage, (name: string) => Record<string, string>>> = {
  ts: (name) => ({
    "filter.ts": `import { defineFilter, text } from "denim/filter";

export default defineFilter({
  name: "${name}",
  version: "0.1.0",
  config: { greeting: text("hello") },

  onRequest(request, ctx) {
    if (request.pathname === "/teapot") return ctx.respond(418, "I am a teapot\\n");
  },

  onResponse(response, ctx) {
    response.headers.set("x-${name}", ctx.config.greeting);
  },
});
`,
  }),
  as: (name) => ({
    "assembly/index.ts": `export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  registerRootContext,
  RootContext,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";

class Root extends RootContext {
  createContext(id: u32): Context {
    return new Exchange(id, this);
  }
}

class Exchange extends Context {
  constructor(id: u32, root: Root) {
    super(id, root);
  }

  onResponseHeaders(_count: u32, _end: bool): FilterHeadersStatusValues {
    stream_context.headers.response.add("x-${name}", "hello");
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((id: u32) => new Root(id), "${name}");
`,
  }),
  wat: (name) => ({
    "filter.wat": `(module
  (import "env" "proxy_add_header_map_value"
    (func $add (param $map i32) (param $key i32) (param $key_size i32)
               (param $value i32) (param $value_size i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "x-${name}")
  (data (i32.const 256) "hello")

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32) (i32.const 4096))

  (func (export "proxy_on_response_headers")
    (param $context i32) (param $count i32) (param $end i32) (result i32)
    ;; map 2: response headers
    (drop (call $add (i32.const 2) (i32.const 16) (i32.const ${name.length + 2})
                                   (i32.const 256) (i32.const 5)))
    (i32.const 0)))
`,
  }),
};
