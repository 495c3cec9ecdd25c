/** Many connections held open, each after one request. */
import { readHead, writeAll } from "./raw_http.ts";

export type Dial = () => Promise<Deno.Conn>;

/** How many are being made at a time. */
const AT_ONCE = 32;

export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
  readonly caCerts: readonly string[];
}

export function plainDial(port: number, host: string): Dial {
  return async () => await used(await Deno.connect({ hostname: "127.0.0.1", port }), host);
}

/** Presents a certificate. The server's must be of that authority; its name is not looked at. */
export function tlsDial(port: number, host: string, files: TlsFiles): Dial {
  const options = {
    hostname: "127.0.0.1",
    port,
    key: files.key,
    cert: files.cert,
    caCerts: [...files.caCerts],
    unsafelyDisableHostnameVerification: true,
  };
  return async () => await used(await Deno.connectTls(options), host);
}

/** One request over it: a connection that never had any is not idle but slow. */
async function used(connection: Deno.Conn, host: string): Promise<Deno.Conn> {
  const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  await writeAll(connection, new TextEncoder().encode(request));
  const { head } = await readHead(connection);
  if (!head.startsWith("HTTP/1.1 200 ")) {
    throw new Error(`Not answered: ${head.split("\r\n", 3).join(", ")}`);
  }
  return connection;
}

export interface OpenConnections extends Disposable {
  readonly count: number;
  /** Why there are fewer than were asked for; null when there are all. */
  readonly stoppedBy: string | null;
}

/** Opens up to `count`, some at a time, and stops when one fails; disposing of the result closes all. */
export async function openAll(dial: Dial, count: number): Promise<OpenConnections> {
  const open: Deno.Conn[] = [];
  let started = 0, stoppedBy: string | null = null;
  const worker = async (): Promise<void> => {
    while (stoppedBy === null && started++ < count) {
      try {
        open.push(await dial());
      } catch (problem) {
        stoppedBy = problem instanceof Error ? problem.message : String(problem);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return {
    count: open.length,
    stoppedBy,
    [Symbol.dispose]: () => open.forEach((connection) => connection.close()),
  };
}
