/** `denim top filters`: what filters cost now, the dearest first. */
import type { FilterView, ProxyView } from "../../control/view.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { OUTPUT_FLAG, outputForm, short, structured, table } from "../output.ts";
import { UsageError } from "../args.ts";
import { EXIT, verb } from "../verb.ts";

/** One filter in one proxy over the time between two looks. */
export interface TopRow {
  readonly binding: string;
  readonly module: string;
  readonly proxy: string;
  readonly exchanges: number;
  readonly usPerRequest: number;
  readonly fuelPerRequest: number;
  /** Percent of the time of the proxy's thread; null where that is not known. */
  readonly share: number | null;
  readonly traps: number;
  /** The route it cost most on. */
  readonly route: string;
}

export interface Look {
  readonly filters: readonly FilterView[];
  readonly proxies: readonly ProxyView[];
}

export const run = verb({
  usage: "denim top filters [--interval SECONDS] [-o yaml|json]",
  about:
    "Shows what each filter costs in each proxy, by microseconds a request: over the interval,\n" +
    "or since the proxy's start where nothing passed meanwhile. CPU is its share of the CPU time\n" +
    "its proxy used.",
  words: { min: 1, max: 1, names: 'what to show: "filters"' },
  flags: {
    interval: { value: "SECONDS", default: "6", help: "Time between the two looks" },
    ...OUTPUT_FLAG,
    ...CLIENT_FLAGS,
  },
  examples: ["denim top filters", "denim top filters --interval 30"],
}, async (args) => {
  if (args.words[0] !== "filters") {
    throw new UsageError(`There is no top of "${args.words[0]}"; wanted filters`);
  }
  const seconds = Number(args.find("interval"));
  if (!(seconds >= 0 && seconds <= 3600)) {
    throw new UsageError(`--interval is "${args.find("interval")}"; wanted 0 to 3600 seconds`);
  }
  const client = await Client.find(args);
  const before = await look(client);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const rows = topRows(before, await look(client));
  const form = outputForm(args);
  console.log(form === "table" ? topTable(rows) : structured(form, rows));
  return EXIT.ok;
});

async function look(client: Client): Promise<Look> {
  const [{ bindings }, { proxies }] = await Promise.all([
    client.get<{ bindings: FilterView[] }>("/bindings"),
    client.get<{ proxies: ProxyView[] }>("/proxies"),
  ]);
  return { filters: bindings, proxies };
}

/** Sorted by cost of a request. */
export function topRows(before: Look, after: Look): TopRow[] {
  const rows = after.filters.map((now) => {
    const old = before.filters.find((one) =>
      one.proxy === now.proxy && one.report.name === now.report.name &&
      one.report.digest === now.report.digest
    );
    const passed = (now.report.exchanges ?? 0) - (old?.report.exchanges ?? 0);
    // Nothing passed, or the proxy began anew: then all there is.
    const since = old !== undefined && passed > 0 ? old : null;
    const exchanges = since === null ? now.report.exchanges ?? 0 : passed;
    const us = now.report.us - (since?.report.us ?? 0);
    const fuel = now.report.fuel - (since?.report.fuel ?? 0);
    const cpuMs = cpuOf(after, now.proxy) - (since === null ? 0 : cpuOf(before, now.proxy));
    return {
      binding: now.report.name,
      module: now.listing === null
        ? now.report.digest.slice(0, 19)
        : `${now.listing.name}@${now.listing.version}`,
      proxy: `${now.node.namespace}/${now.node.name}`,
      exchanges,
      usPerRequest: exchanges === 0 ? 0 : us / exchanges,
      fuelPerRequest: exchanges === 0 ? 0 : fuel / exchanges,
      share: cpuMs > 0 ? Math.min(100, (us / 1000 / cpuMs) * 100) : null,
      traps: now.report.traps,
      route: now.report.routes?.[0]?.route ?? "",
    };
  });
  return rows.sort((a, b) => b.usPerRequest - a.usPerRequest);
}

function cpuOf({ proxies }: Look, id: string): number {
  return proxies.find((one) => one.id === id)?.report?.cpuMs ?? 0;
}

export function topTable(rows: readonly TopRow[]): string {
  if (rows.length === 0) return "No connected proxy runs a filter";
  return table(
    [
      "BINDING",
      "MODULE",
      "PROXY",
      "REQUESTS",
      "µS/REQUEST",
      "FUEL/REQUEST",
      "CPU",
      "TRAPS",
      "DEAREST ROUTE",
    ],
    rows.map((one) => [
      one.binding,
      one.module,
      one.proxy,
      short(one.exchanges),
      one.usPerRequest.toFixed(1),
      short(one.fuelPerRequest),
      one.share === null ? "-" : `${one.share.toFixed(1)} %`,
      String(one.traps),
      one.route === "" ? "-" : one.route,
    ]),
  );
}
