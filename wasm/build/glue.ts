/**
 * Makes the transpiler's glue safe to run in a proxy: it works for a guest that may be hostile, on a
 * thread nobody can interrupt, so what it does for the guest is counted, and what is not known is refused.
 *
 * - Strings: a list of a million strings that all point to the same megabyte costs a guest nothing, but
 *   whoever reads it a terabyte. Every string read, and every copy between a component's parts, is charged.
 * - Handles: the tables of a component's own resources live in the proxy's heap. They get a limit.
 * - Built-ins: streams, futures and tasks of asynchronous components keep state out here too. Until that
 *   has limits, such components are refused.
 */
import { ACCOUNT } from "../component/bundle.ts";
import { ModuleError } from "../reader.ts";

/** What makes glue the kind we know: a module that imports nothing. */
const HEAD = /^export function instantiate\(getCoreModule, imports, /m;
const IMPORT = /^\s*import[\s{*'"]/m;

const TEXT_DECODER = "const TEXT_DECODER_UTF8 = new TextDecoder();";
const TRANSCODER = /function trampoline\d+\(from_ptr, len, to_ptr\) \{/g;
const TRANSCODE_KEY = /'([a-z0-9-]+) \(mem\d+ => mem\d+\)'/g;

/** Where handle tables grow. */
const GROWTH = [
  [
    "function rscTableCreateOwn",
    "table._createdReps.add(rep);",
    `imports["${ACCOUNT}"].handles(table._createdReps.add(rep).size);`,
  ],
  [
    "function rscTableCreateBorrow",
    "table.push(scopeId);",
    `imports["${ACCOUNT}"].handles(table.push(scopeId));`,
  ],
  ["function rscTableCreateOwn", "table.push(0);", `imports["${ACCOUNT}"].handles(table.push(0));`],
] as const;

/** Functions of the glue a guest may be given; the rest belongs to asynchronous components. */
const BUILT_IN = /(?:const|let) trampoline\d+ = (\w+)/g;
/** What leads to a host import. */
const LOWERED = /^_trampoline\d+$/;
/** The entry of one part of a component into another, where either may be suspended. */
const SUSPENDING_ENTRY = "_conditionalSuspending3I32ToVoid";
const BUILT_INS: ReadonlySet<string> = new Set([
  "rscTableCreateOwn",
  "resourceTransferOwn",
  "resourceTransferBorrow",
  "contextGet",
  "contextSet",
  "_symmetricSyncGuestCallEnter",
  "_symmetricSyncGuestCallExit",
]);

/** Asked at every call into the guest; reading the environment is a system call's worth each time. */
const DEBUG_LINE = "if (!globalThis?.process?.env?.JCO_DEBUG) { return; }";

/** Throws {@link ModuleError} when the glue has something this version does not know to be safe. */
export function hardenGlue(glue: string, suspends = false): string {
  check(HEAD.test(glue) && !IMPORT.test(glue), "is not one module that imports nothing");
  check(glue.split(TEXT_DECODER).length === 2, "reads strings in a way that cannot be counted");
  for (const [, how] of glue.matchAll(TRANSCODE_KEY)) {
    check(how === "utf8-to-utf8", `passes strings on between its parts as ${how}`);
  }
  for (const [, name] of glue.matchAll(BUILT_IN)) {
    const known = BUILT_INS.has(name!) || LOWERED.test(name!) ||
      (suspends && name === SUSPENDING_ENTRY);
    check(known, `uses ${name}, which asynchronous components need`);
  }
  let safe = glue
    .replace(TEXT_DECODER, `const TEXT_DECODER_UTF8 = imports["${ACCOUNT}"];`)
    .replaceAll(TRANSCODER, (head) => `${head} imports["${ACCOUNT}"].charge(len);`)
    .replaceAll(DEBUG_LINE, "return;");
  // What nobody looks up need not be kept: it would grow by every handle there ever was.
  if (!safe.includes("_createdReps.has(")) {
    safe = safe.replaceAll(
      "_createdReps = new Set();",
      "_createdReps = { add: () => ({ size: 0 }) };",
    );
  }
  for (const [where, growth, counted] of GROWTH) {
    check(
      !safe.includes(where) || safe.includes(growth),
      "keeps handles in a way that cannot be counted",
    );
    safe = safe.replaceAll(growth, counted);
  }
  return safe;
}

function check(fine: boolean, what: string): void {
  if (fine) return;
  throw new ModuleError(
    "wasm.bad_component",
    `The component's glue ${what}; it cannot be admitted`,
  );
}
