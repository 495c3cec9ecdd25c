/** Puts a server on its address, or says in words for people why that cannot be. */
import type { Server } from "node:net";
import type { Log } from "../core/log.ts";

/** How a listener gets its socket. */
export interface BindOptions {
  /** Shares the port with other processes that ask for the same: the kernel spreads connections. */
  readonly reusePort?: boolean;
  /** A bound socket that a supervisor handed down; it stays open when this process ends. */
  readonly fd?: number;
}

/** Binds; rejects with a sentence that says which address was wanted and what to do. */
export function bind(
  server: Server,
  name: string,
  place: { readonly host: string; readonly port: number } & BindOptions,
  log: Log,
): Promise<{ host: string; port: number }> {
  const { host, port, fd, reusePort = false } = place;
  return new Promise((resolve, reject) => {
    const failed = (e: NodeJS.ErrnoException): void => reject(bindError(e, name, host, port));
    server.once("error", failed);
    const where = fd === undefined ? { host, port, reusePort } : { fd };
    server.listen({ ...where, backlog: 1024 }, () => {
      server.off("error", failed);
      server.on("error", (e) => log.error("listener.failed", { listener: name, error: String(e) }));
      const bound = server.address();
      resolve({ host, port: typeof bound === "object" && bound !== null ? bound.port : port });
    });
  });
}

function bindError(e: NodeJS.ErrnoException, name: string, host: string, port: number): Error {
  const where = `${host}:${port}`;
  if (e.code === "EADDRINUSE") {
    return new Error(
      `Cannot open listener "${name}" on ${where}: the port is in use. Stop the program that has it, or choose another port (0 takes a free one)`,
    );
  }
  if (e.code === "EACCES" || e.code === "EPERM") {
    return new Error(
      `Cannot open listener "${name}" on ${where}: permission denied. Choose a port of 1024 or above, or grant the right to bind it`,
    );
  }
  return new Error(`Cannot open listener "${name}" on ${where}: ${e.message}`);
}
