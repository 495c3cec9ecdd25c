/** Lint plugin: imports may only point the way the layer arrows do (ARCHITECTURE.md, "Layers"). */

/** What each top-level folder may import besides itself. Folders not listed are free. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  core: [],
  filters: ["core"],
  wasm: ["core"],
  proxy: ["core", "filters", "wasm", "control/schema"],
  // Both ends of the stream between proxy and control plane must judge certificates by the same code.
  control: ["core", "wasm", "filters", "proxy/tls"],
  cli: ["core", "proxy", "control", "wasm", "filters", "examples"],
};

/** Only the proxy's edges read the control plane's files at run time; types may be read anywhere in the proxy. */
const SCHEMA_READERS: readonly string[] = ["proxy/config/", "proxy/main.ts"];

/** Inside proxy/ these meet only in main.ts, listener.ts and config/; type imports are allowed. */
const STRANGERS: readonly string[] = [
  "proxy/h1/",
  "proxy/h2/",
  "proxy/l4/",
  "proxy/tls/",
  "proxy/routing/",
  "proxy/upstream/",
];

/** Third-party imports a layer may make; node: built-ins are free. `null`: any. */
const THIRD_PARTY: Readonly<Record<string, readonly string[]>> = {
  core: [],
  proxy: ["yaml", "@std/crypto"],
  wasm: ["wabt"],
};

/** A third-party import of `filters/` belongs into these files. */
const ZOD_IN_FILTERS = /^filters\/(?:.+\/)?(?:config|schemas)\.ts$/;

export interface ImportSite {
  /** Importing file, relative to the project's root. */
  readonly from: string;
  /** The specifier as written. */
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Why the import is not allowed, or null when it is. Tests and benches beside code may import anything. */
export function judge(site: ImportSite): string | null {
  const { from } = site;
  if (/_(?:test|bench)\.tsx?$/.test(from)) return null;
  const layer = topOf(from);
  if (!site.specifier.startsWith(".")) return judgeThirdParty(from, layer, site);
  const to = resolve(from, site.specifier);
  const target = topOf(to);
  if (target === "tests" && layer !== "tests" && layer !== "bench") {
    return "Nothing may import tests/";
  }
  if (target === "cli" && layer in MAY && layer !== "cli") return `${layer}/ may not import cli/`;
  if (layer === target) return layer === "proxy" ? judgeInProxy(from, to, site.typeOnly) : null;
  const allowed = MAY[layer];
  if (allowed === undefined) return null;
  if (!allowed.some((place) => to.startsWith(`${place}/`))) {
    return `${layer}/ may not import ${target}/`;
  }
  if (layer === "proxy" && target === "control" && !site.typeOnly) {
    const atEdge = SCHEMA_READERS.some((place) => from.startsWith(place));
    if (!atEdge) return "Only proxy/config and proxy/main.ts may import control/schema values";
  }
  return null;
}

function judgeThirdParty(from: string, layer: string, site: ImportSite): string | null {
  if (site.specifier.startsWith("node:") || site.typeOnly) return null;
  if (/^denim[:/]/.test(site.specifier)) return null; // our own names for wasm/sdk
  if (layer === "filters") {
    return ZOD_IN_FILTERS.test(from) ? null : "filters/ may use zod in config.ts only";
  }
  const allowed = THIRD_PARTY[layer];
  if (allowed === undefined || allowed.includes(site.specifier)) return null;
  return `${layer}/ may not import the package "${site.specifier}"`;
}

function judgeInProxy(from: string, to: string, typeOnly: boolean): string | null {
  const home = STRANGERS.find((place) => from.startsWith(place));
  if (home === undefined || typeOnly) return null;
  const other = STRANGERS.find((place) => to.startsWith(place));
  if (other === undefined || other === home) return null;
  return `${home} may not import ${other}: they meet in proxy/main.ts, listener.ts and config/`;
}

function topOf(path: string): string {
  return path.split("/")[0]!;
}

function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

const ROOT = new URL("../", import.meta.url).pathname;

function watch(ctx: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const from = ctx.filename.startsWith(ROOT) ? ctx.filename.slice(ROOT.length) : ctx.filename;
  const check = (
    node: {
      readonly source?: Deno.lint.Node | null;
    } & Deno.lint.Node,
    typeOnly: boolean,
  ): void => {
    // A dynamic import of what is computed is nobody's arrow.
    const specifier = node.source?.type === "Literal" ? node.source.value : undefined;
    if (typeof specifier !== "string") return;
    const message = judge({ from, specifier, typeOnly });
    if (message !== null) {
      ctx.report({ node, message, hint: "See ARCHITECTURE.md, Layers." });
    }
  };
  return {
    ImportDeclaration: (node) => check(node, node.importKind === "type"),
    ImportExpression: (node) => check(node, false),
    ExportNamedDeclaration: (node) => check(node, node.exportKind === "type"),
    ExportAllDeclaration: (node) => check(node, node.exportKind === "type"),
  };
}

const plugin: Deno.lint.Plugin = { name: "denim", rules: { layers: { create: watch } } };
// The plugin interface asks for a default export, as the SDK for filters does; nothing else has one.
export default plugin;
