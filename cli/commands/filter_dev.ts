/** `denim filter dev`: a proxy with the filter in it, which follows every change of its code. */
import { basename } from "node:path";
import { configText, type Manifest } from "../../control/market/mod.ts";
import { startEcho } from "../filters/dev/echo.ts";
import { DevProxy } from "../filters/dev/proxy.ts";
import { TerminalView } from "../filters/dev/view.ts";
import { watchFolder } from "../filters/dev/watch.ts";
import { readFlags, runVerb, UsageError } from "../filters/options.ts";
import { readCases } from "../filters/stage/case_file.ts";
import { loadFilter } from "../filters/stage/load.ts";
import { passed, resultText, summaryText } from "../filters/stage/report.ts";
import { type Result, runFile } from "../filters/stage/run.ts";
import type { Staged } from "../filters/stage/stage.ts";
import { untilStopped } from "../verb.ts";

export function filterDev(args: readonly string[]): Promise<number> {
  return runVerb(async () => {
    const { values, positionals } = readFlags(args, {
      upstream: { type: "string" },
      listen: { type: "string", default: "127.0.0.1:0" },
      "cache-dir": { type: "string", default: ".denim/build" },
    });
    const dir = positionals[0] ?? ".";
    const view = new TerminalView((line) => console.log(line), Deno.stdout.isTerminal());
    const echo = values.upstream === undefined ? startEcho() : null;
    const upstream = echo?.address ?? upstreamOf(values.upstream as string);
    const proxy = new DevProxy({ listen: listenOf(values.listen as string), upstream, view });
    const stop = new AbortController();
    try {
      await follow(dir, values["cache-dir"] as string, proxy, view);
      if (echo !== null) {
        view.say("No --upstream was named: requests reach one that says back what it got.");
      }
      view.say("Ctrl-C ends it; save a file and the next request meets the new code.\n");
      const watching = watchFolder(
        dir,
        stop.signal,
        () => follow(dir, values["cache-dir"] as string, proxy, view),
      );
      await untilStopped();
      stop.abort();
      await watching;
    } finally {
      await proxy.close();
      await echo?.close();
    }
  });
}

/** Builds, puts in force and tries the cases; what does not work is said, and what ran before stays. */
async function follow(
  dir: string,
  cacheDir: string,
  proxy: DevProxy,
  view: TerminalView,
): Promise<void> {
  const from = performance.now();
  const had = proxy.url !== "";
  try {
    const { built, staged } = await loadFilter(dir, cacheDir);
    await proxy.swap(staged, configText(built.manifest));
    const ms = Math.round(performance.now() - from);
    const what = `${basename(built.source)}, ${built.bytes.length} bytes, ${ms} ms`;
    view.say(`${built.manifest.name} is in force at ${proxy.url} (${what})`, "good");
    await tryCases(dir, built.manifest, staged, view);
  } catch (error) {
    if (!had) throw error;
    view.say(messageOf(error), "bad");
    view.say(`The filter that ran before stays in force at ${proxy.url}.`);
  }
}

async function tryCases(
  dir: string,
  manifest: Manifest,
  staged: Staged,
  view: TerminalView,
): Promise<void> {
  const results: Result[] = [];
  try {
    for (const file of await readCases(dir)) {
      for await (const result of runFile(staged, manifest, file)) results.push(result);
    }
  } catch (error) {
    return view.say(messageOf(error), "bad");
  }
  if (results.length === 0) return;
  for (const result of results) if (!passed(result)) view.say(resultText(result), "bad");
  view.say(`cases: ${summaryText(results)}`, results.every(passed) ? "good" : "bad");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `http://127.0.0.1:8080` → `127.0.0.1:8080`. */
function upstreamOf(text: string): string {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url === null || url.protocol !== "http:" || url.pathname !== "/") {
    throw new UsageError(`--upstream is "${text}"; wanted http://HOST:PORT`);
  }
  return `${url.hostname}:${url.port === "" ? 80 : url.port}`;
}

function listenOf(text: string): { host: string; port: number } {
  const [, host, port] = /^(?:\[?([^[\]]*)\]?:)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535) {
    throw new UsageError(`--listen is "${text}"; wanted HOST:PORT, or a port on this machine`);
  }
  return { host: host ?? "127.0.0.1", port: Number(port) };
}
