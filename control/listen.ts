/** Opens a server where others are to find it. */
import type { AddressInfo, Server } from "node:net";

export interface Place {
  readonly host: string;
  readonly port: number;
}

/**
 * Resolves with `host:port`, as it was bound. Rejects with a sentence when the port is in use: it begins
 * with `what` and names the option that chooses another one.
 */
export function listen(
  server: Server,
  { host, port }: Place,
  what: string,
  option: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code !== "EADDRINUSE" ? error : new Error(
          `${what} on ${host}:${port}: the port is in use. Stop the program that has it, or choose ` +
            `another with ${option} (port 0 takes a free one)`,
        ),
      );
    });
    server.listen(port, host, () => {
      const bound = server.address() as AddressInfo;
      resolve(`${bound.family === "IPv6" ? `[${bound.address}]` : bound.address}:${bound.port}`);
    });
  });
}
