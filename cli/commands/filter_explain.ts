/** `denim filter explain`: what a module is, hooks, may touch and would cost, without running it. */
import { basename } from "node:path";
import { buildFilter } from "../../control/market/mod.ts";
import { explain, type Explanation } from "../../wasm/explain.ts";
import { compileWat, isWat } from "../../wasm/wat.ts";
import { readFlags, runVerb, UsageError } from "../filters/options.ts";

export async function filterExplain(args: readonly string[]): Promise<number> {
  let refused = false;
  const code = await runVerb(async () => {
    const { values, positionals } = readFlags(args, {
      json: { type: "boolean", default: false },
      output: { type: "string", short: "o" },
      "cache-dir": { type: "string", default: ".denim/build" },
    });
    const path = positionals[0];
    if (path === undefined) {
      throw new UsageError("Name a module or a filter's folder: denim filter explain FILE.wasm");
    }
    const { bytes, memoryBytes } = await read(path, values["cache-dir"] as string);
    const explanation = explain(bytes, memoryBytes);
    refused = explanation.problems.some((problem) => problem.fatal);
    const json = values.json === true || values.output === "json";
    console.log(
      json ? JSON.stringify(explanation, null, 2) : explanationText(basename(path), explanation),
    );
  });
  return code === 0 && refused ? 1 : code;
}

async function read(
  path: string,
  cacheDir: string,
): Promise<{ bytes: Uint8Array; memoryBytes?: number }> {
  let found: Deno.FileInfo;
  try {
    found = await Deno.stat(path);
  } catch {
    throw new UsageError(
      `There is no "${path}"; wanted a .wasm or .wat file, or a filter's folder`,
    );
  }
  if (!found.isDirectory) return { bytes: await binary(await Deno.readFile(path)) };
  const built = await buildFilter(path, { cacheDir });
  const memoryBytes = built.manifest.limits.memoryMiB * 1024 * 1024;
  return { bytes: await binary(built.bytes), memoryBytes };
}

async function binary(bytes: Uint8Array): Promise<Uint8Array> {
  return isWat(bytes) ? await compileWat(new TextDecoder().decode(bytes)) : bytes;
}

function explanationText(name: string, e: Explanation): string {
  const made = [e.language === "unknown" ? "an unknown language" : e.language, e.sdk].filter((
    part,
  ) => part !== "");
  const lines = [
    `${name}: ${e.kind === "component" ? "a component" : "a core module"}, ${
      e.abi === "unknown" ? "no known ABI" : e.abi
    }`,
    row("written in", made.join(", ")),
    ...(e.tools.length === 0 ? [] : [row("made by", e.tools.join(", "))]),
    row(
      "hooks",
      e.hooks.join(", ") ||
        (e.kind === "component" ? "what it asks for when it is configured" : "nothing"),
    ),
    row("size", `${size(e.sizeBytes)}${metered(e)}`),
    row(
      "memory",
      `${size(e.memory.minBytes)} at the start, ${
        e.memory.maxBytes === null ? "no limit of its own" : `${size(e.memory.maxBytes)} at most`
      }`,
    ),
    ...(e.tables.length === 0 ? [] : [row(
      "tables",
      e.tables.map(({ min, max }) =>
        `${min} elements${max === null || max === min ? "" : `, ${max} at most`}`
      ).join("; "),
    )]),
    "",
    e.capabilities.length === 0 ? "It asks for no capability." : "It asks for these capabilities:",
    ...e.capabilities.map(({ name, means }) => `  ${name.padEnd(18)} ${means}`),
    "",
    e.imports.length === 0 ? "It imports nothing." : "It imports:",
    ...e.imports.map(({ name, means }) =>
      `  ${name.padEnd(44)} ${means ?? "UNKNOWN: no host here has it"}`
    ),
  ];
  if (e.problems.length > 0) lines.push("");
  for (const { fatal, what, remedy } of e.problems) {
    lines.push(`${fatal ? "REFUSED" : "warning"}: ${what}`, `         ${remedy}`);
  }
  return lines.join("\n");
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(11)} ${text}`;
}

function metered({ metering, sizeBytes }: Explanation): string {
  if (metering === null) return "";
  const percent = Math.round((metering.bytes / sizeBytes - 1) * 100);
  return `; metered ${size(metering.bytes)} (+${percent} %) in ${metering.ms} ms`;
}

function size(bytes: number): string {
  if (bytes < 10_000) return `${bytes} B`;
  return bytes < 10_000_000
    ? `${Math.round(bytes / 1024)} KiB`
    : `${Math.round(bytes / 1024 / 1024)} MiB`;
}
