/** The fuzz targets by name; each is loaded when it is asked for. */
import type { Target } from "./target.ts";

export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  h1: async () => (await import("./h1.ts")).target,
  "h2-server": async () => (await import("./h2.ts")).server,
  "h2-client": async () => (await import("./h2.ts")).client,
  hpack: async () => (await import("./hpack.ts")).target,
  "client-hello": async () => (await import("./client_hello.ts")).target,
  "proxy-header": async () => (await import("./proxy_header.ts")).target,
  yaml: async () => (await import("./yaml.ts")).target,
  "wasm-rewriter": async () => (await import("./wasm_rewriter.ts")).target,
  wasm: async () => (await import("./wasm_module.ts")).target,
};

/** Inputs that were findings once, or that are known attacks: `corpus/NAME/DATE-WHAT`, as bytes. */
export function corpusFolder(name: string): URL {
  return new URL(`corpus/${name}/`, import.meta.url);
}

export function corpus(name: string): { file: string; input: Uint8Array }[] {
  const found: { file: string; input: Uint8Array }[] = [];
  let entries: Deno.DirEntry[] = [];
  try {
    entries = [...Deno.readDirSync(corpusFolder(name))];
  } catch {
    // No finding yet.
  }
  for (const { name: file } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    found.push({ file, input: Deno.readFileSync(new URL(file, corpusFolder(name))) });
  }
  return found;
}

/** Keeps an input that is a finding; returns where. */
export function keep(name: string, input: Uint8Array, what: string): string {
  const folder = corpusFolder(name);
  Deno.mkdirSync(folder, { recursive: true });
  const day = new Date().toISOString().slice(0, 10);
  const words = what.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 40).replace(/^-|-$/g, "");
  const file = new URL(`${day}-${words}`, folder);
  Deno.writeFileSync(file, input);
  return file.pathname;
}
