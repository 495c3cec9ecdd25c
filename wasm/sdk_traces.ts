/** Which SDK and compiler a module was made with, and in which version, by the traces they leave. */
import { producers } from "./language.ts";
import { binaryKind, parseModule } from "./parse.ts";

/** Paths and names libraries leave in a module's data or name section. */
const SDKS: readonly (readonly [RegExp, string])[] = [
  [/[/\\]proxy-wasm-(\d+\.\d+\.\d+[-.\w]*)[/\\]src/, "proxy-wasm Rust SDK"],
  [/github\.com\/proxy-wasm\/proxy-wasm-go-sdk(?:@v(\d+\.\d+\.\d+[-.\w]*))?/, "proxy-wasm Go SDK"],
  [
    /github\.com\/tetratelabs\/proxy-wasm-go-sdk(?:@v(\d+\.\d+\.\d+[-.\w]*))?/,
    "tetratelabs Go SDK (archived)",
  ],
  [
    /github\.com\/(?:higress-group|alibaba\/higress)[^\0\s]{0,40}wasm-go(?:@v(\d+\.\d+\.\d+[-.\w]*))?/,
    "Higress wasm-go",
  ],
  [/@gcoredev\/proxy-wasm-sdk-as/, "G-Core AssemblyScript SDK"],
  [/@solo-io\/proxy-runtime/, "solo-io AssemblyScript SDK"],
  [/proxy_wasm_intrinsics/, "proxy-wasm C++ SDK"],
];

export interface Traces {
  /** `proxy-wasm Rust SDK 0.2.5`; "" when none shows. */
  readonly sdk: string;
  /** `rustc 1.85.1`, `go 1.26.8`, …; from the producers section, or what the runtime says of itself. */
  readonly tools: readonly string[];
}

export function tracesOf(bytes: Uint8Array): Traces {
  const text = new TextDecoder("latin1").decode(bytes);
  // AssemblyScript keeps its strings in UTF-16: every other byte is 0.
  const wide = text.includes("~\0l\0i\0b\0/\0") ? text.replaceAll("\0", "") : "";
  let sdk = "";
  for (const [trace, name] of SDKS) {
    const found = trace.exec(text) ?? trace.exec(wide);
    if (found === null) continue;
    sdk = found[1] === undefined ? name : `${name} ${found[1]}`;
    break;
  }
  return { sdk, tools: toolsOf(bytes, text) };
}

function toolsOf(bytes: Uint8Array, text: string): string[] {
  const found = new Set<string>();
  if (binaryKind(bytes) === "core") {
    // Each tool comes alone and with its version.
    for (const tool of producers(bytes, parseModule(bytes))) {
      if (/ \S*\d/.test(tool)) found.add(tool.trim());
    }
  }
  const go = /\bgo(1\.\d+(?:\.\d+)?)\b/.exec(text)?.[1];
  const named = [...found].some((tool) => tool.includes("go1."));
  if (go !== undefined && !named && text.includes("runtime.goexit")) found.add(`go ${go}`);
  if (text.includes("QuickJS")) found.add("QuickJS");
  return [...found];
}
