/**
 * A bound socket that belongs to nobody's event loop: the supervisor holds it and lends it to workers.
 * A worker listens on it; when the worker dies the socket goes on listening, because the supervisor
 * has it too, and the kernel queues new connections until the next worker accepts them.
 */
import * as net from "node:net";

export interface HeldSocket {
  readonly host: string;
  readonly port: number;
  /** To be passed to a child process. */
  readonly fd: number;
  close(): void;
}

interface Handle {
  getsockname(into: { port?: number }): number;
  fdForIpc(): number;
  close(): void;
}

/** What Node's cluster module uses: binds without listening. Not in the type definitions. */
const createHandle = (net as unknown as {
  _createServerHandle(
    host: string,
    port: number,
    family: 4 | 6,
    fd: undefined,
    flags: number,
  ): Handle | number;
})._createServerHandle;

const REUSE_PORT = 4;
const UNKNOWN_NAME = "Cannot hold a socket at a name; give an IP address";

/** Binds with SO_REUSEPORT, so that each worker has a socket of its own at the same port; 0 takes a free one. */
export function holdSocket(host: string, port: number): HeldSocket {
  const family = net.isIP(host);
  if (family !== 4 && family !== 6) throw new Error(`${UNKNOWN_NAME} instead of "${host}"`);
  const handle = createHandle(host, port, family, undefined, REUSE_PORT);
  if (typeof handle === "number") {
    throw new Error(
      `Cannot bind ${host}:${port} (error ${handle}). Another program may have the port: stop it, or ` +
        "choose another one (0 takes a free one)",
    );
  }
  const bound: { port?: number } = {};
  handle.getsockname(bound);
  return { host, port: bound.port ?? port, fd: handle.fdForIpc(), close: () => handle.close() };
}
