/**
 * One download after the other: `deno run -A downloads.ts PORT HOST PATH` says `started` when the first bytes
 * of a body are there, and on SIGTERM prints a {@link DownloadReport} as JSON and ends. A download that
 * breaks off ends it with code 1.
 */
import { read, readHead, writeAll } from "./raw_http.ts";

export interface DownloadReport {
  readonly bytes: number;
  /** Since the first bytes of the first body. */
  readonly seconds: number;
}

/** One body, thrown away. Throws when there is none or not all of it comes. */
export async function download(
  port: number,
  host: string,
  path: string,
  came: (bytes: number) => void,
): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  await writeAll(connection, new TextEncoder().encode(request));
  const { head, rest } = await readHead(connection);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? NaN);
  if (!head.startsWith("HTTP/1.1 200 ") || Number.isNaN(length)) {
    throw new Error(`No body of known length: ${head}`);
  }
  came(rest.length);
  const got = rest.length + await read(connection, length - rest.length, came);
  if (got !== length) throw new Error(`${got} of ${length} bytes came`);
}

if (import.meta.main) {
  const [port, host, path] = Deno.args as [string, string, string];
  let bytes = 0, startedMs = 0;
  Deno.addSignalListener("SIGTERM", () => {
    const report: DownloadReport = { bytes, seconds: (performance.now() - startedMs) / 1000 };
    console.log(JSON.stringify(report));
    Deno.exit(0);
  });
  for (;;) {
    await download(Number(port), host, path, (count) => {
      if (bytes === 0 && count > 0) {
        startedMs = performance.now();
        console.log("started");
      }
      bytes += count;
    });
  }
}
