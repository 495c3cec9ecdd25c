/** Closed-loop load by wrk, and its report as numbers. */

export interface WrkReport {
  readonly requests: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers other than 2xx or 3xx, and broken connections. Any of them makes a measurement worthless. */
  readonly failures: number;
}

export interface WrkOptions {
  readonly core: number;
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** `Name: value`. */
  readonly headers?: readonly string[];
}

export async function wrk(options: WrkOptions): Promise<WrkReport> {
  const { core, url, seconds, connections } = options;
  const headers = (options.headers ?? []).flatMap((header) => ["-H", header]);
  const output = await new Deno.Command("taskset", {
    args: [
      "-c",
      `${core}`,
      "wrk",
      "-t1",
      `-c${connections}`,
      `-d${seconds}s`,
      "--latency",
      ...headers,
      url,
    ],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  const text = new TextDecoder().decode(output.stdout);
  if (!output.success) throw new Error(`wrk ended with code ${output.code}: ${text}`);
  return parseWrk(text);
}

/** Reads what `wrk --latency` prints. */
export function parseWrk(text: string): WrkReport {
  const number = (pattern: RegExp, what: string): number => {
    const found = pattern.exec(text);
    if (found === null) throw new Error(`wrk printed no ${what}: ${text}`);
    return Number(found[1]);
  };
  const optional = (pattern: RegExp): number =>
    (pattern.exec(text)?.slice(1) ?? []).reduce((sum, part) => sum + Number(part), 0);
  return {
    requests: number(/(\d+) requests in/, "number of requests"),
    seconds: toMs(/requests in ([\d.]+(?:us|ms|s|m))/.exec(text)?.[1] ?? "0s") / 1000,
    requestsPerSecond: number(/Requests\/sec:\s+([\d.]+)/, "rate"),
    p50Ms: toMs(/50%\s+([\d.]+(?:us|ms|s|m))/.exec(text)?.[1] ?? ""),
    p99Ms: toMs(/99%\s+([\d.]+(?:us|ms|s|m))/.exec(text)?.[1] ?? ""),
    failures: optional(/Non-2xx or 3xx responses: (\d+)/) +
      optional(/Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/),
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function toMs(text: string): number {
  const parts = /^([\d.]+)(us|ms|s|m)$/.exec(text);
  if (parts === null) throw new Error(`"${text}" is not a time as wrk prints it`);
  return Number(parts[1]) * UNIT_MS[parts[2]!]!;
}
