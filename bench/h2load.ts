/** Closed-loop HTTP/2 load by h2load, and its report as numbers. */

export interface H2loadReport {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Bytes of response bodies, all together. */
  readonly dataBytes: number;
  readonly meanMs: number;
  readonly maxMs: number;
  /** Answers other than 2xx and streams or connections that broke. */
  readonly failures: number;
}

export interface H2loadOptions {
  readonly core: number;
  readonly url: string;
  /** `:authority` of the requests. */
  readonly authority: string;
  readonly requests: number;
  readonly connections: number;
  readonly streams: number;
  readonly headers: readonly string[];
  /** File with the request's body. */
  readonly bodyPath: string;
}

export async function h2load(options: H2loadOptions): Promise<H2loadReport> {
  const headers = [`:authority: ${options.authority}`, ...options.headers];
  const { success, stdout } = await new Deno.Command("taskset", {
    args: [
      ...["-c", `${options.core}`, "h2load", "-t1", `-n${options.requests}`],
      ...[`-c${options.connections}`, `-m${options.streams}`, `-d${options.bodyPath}`],
      ...headers.flatMap((header) => ["-H", header]),
      options.url,
    ],
    stderr: "inherit",
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`h2load failed: ${text}`);
  return parseH2load(text);
}

/** Reads what h2load prints at its end. */
export function parseH2load(text: string): H2loadReport {
  const number = (pattern: RegExp, what: string): number => {
    const found = pattern.exec(text);
    if (found === null) throw new Error(`h2load printed no ${what}: ${text}`);
    return Number(found[1]);
  };
  const time = (pattern: RegExp): number => toMs(pattern.exec(text)?.[1] ?? "");
  const requests = number(/^requests: (\d+) total/m, "number of requests");
  return {
    requests,
    requestsPerSecond: number(/finished in .*, ([\d.]+) req\/s/, "rate"),
    dataBytes: number(/^traffic: .*\((\d+)\) data$/m, "traffic"),
    meanMs: time(/^time for request:\s+\S+\s+\S+\s+(\S+)/m),
    maxMs: time(/^time for request:\s+\S+\s+(\S+)/m),
    failures: requests - number(/^status codes: (\d+) 2xx/m, "status codes"),
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };

function toMs(text: string): number {
  const parts = /^([\d.]+)(us|ms|s)$/.exec(text);
  if (parts === null) throw new Error(`"${text}" is not a time as h2load prints it`);
  return Number(parts[1]) * UNIT_MS[parts[2]!]!;
}
