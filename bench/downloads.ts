/** A download that goes on beside what is measured, in a process of its own on the load core. */
import { readLines } from "../cli/local/log_file.ts";
import { LOAD_CORE, type Target } from "./load.ts";
import type { DownloadReport } from "./load_client/downloads.ts";
import { startPinned } from "./process.ts";
import { program } from "./stream.ts";

/**
 * Both ends of the download give way to whatever else has work on the load core: origin and client of the
 * small requests must wait for the proxies, not for them.
 */
export const GIVING_WAY = ["nice", "-n", "19"];

export interface Downloads extends AsyncDisposable {
  /** Ends it. Throws when a download broke off meanwhile. */
  stop(): Promise<DownloadReport>;
}

/** Resolves when bytes come. Throws when none do. */
export async function startDownloads(target: Target, path: string): Promise<Downloads> {
  const { hostname, port } = new URL(target.url);
  const command = program("downloads", [port, target.host ?? hostname, path]);
  const client = startPinned(LOAD_CORE, [...GIVING_WAY, ...command], { stdout: "piped" });
  const lines: string[] = [], started = Promise.withResolvers<void>();
  const ended = readLines(client.process.stdout, (line) => {
    lines.push(line);
    started.resolve();
  });
  const dispose = async (): Promise<void> => {
    await client[Symbol.asyncDispose]();
    await ended;
  };
  await Promise.race([started.promise, ended]);
  if (lines.length === 0) {
    await dispose();
    throw new Error(`No download through ${target.url}`);
  }
  return {
    async stop(): Promise<DownloadReport> {
      await dispose();
      const [, report] = lines;
      if (report === undefined) throw new Error(`A download through ${target.url} broke off`);
      return JSON.parse(report) as DownloadReport;
    },
    [Symbol.asyncDispose]: dispose,
  };
}
