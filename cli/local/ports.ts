/** Ports of the local mesh: free ones, the same again at the next start where they are still free. */

import { type Random, systemRandom } from "../../core/clock.ts";
import { LocalError } from "./explain.ts";

/**
 * Where free ports are looked for: below the range that Linux, macOS and Windows take the near ends of
 * connections from, or any connection made meanwhile could have the port before its listener does.
 */
const FIRST_PORT = 18_000, PORTS = 14_000;
const TRIES = 100;

/** Whether nothing listens on this port of the loopback now. */
export function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (problem) {
    if (problem instanceof Deno.errors.AddrInUse) return false;
    throw problem;
  }
}

/**
 * A port for each name. A remembered port is taken again while it is free; `fixed` ones must be free.
 * All are held until all are found, so that none is given twice.
 */
export function choosePorts(
  names: readonly string[],
  remembered: Readonly<Record<string, number>>,
  fixed: Readonly<Record<string, number>> = {},
  random: Random = systemRandom,
): Record<string, number> {
  const held: Deno.Listener[] = [];
  const hold = (port: number): number | null => {
    try {
      const listener = Deno.listen({ hostname: "127.0.0.1", port });
      held.push(listener);
      return listener.addr.port;
    } catch (problem) {
      if (problem instanceof Deno.errors.AddrInUse) return null;
      if (problem instanceof Deno.errors.PermissionDenied) {
        throw new LocalError(
          `This user may not listen on port ${port}. Choose one above 1023 (--port)`,
        );
      }
      throw problem;
    }
  };
  const any = (): number => {
    for (let tries = 0; tries < TRIES; tries++) {
      const port = hold(FIRST_PORT + Math.floor(random() * PORTS));
      if (port !== null) return port;
    }
    return hold(0)!;
  };
  try {
    const chosen: Record<string, number> = {};
    // Fixed ones first: a free choice for another name must not take them.
    for (const [name, port] of Object.entries(fixed)) {
      if (hold(port) === null) {
        throw new LocalError(
          `Port ${port} is in use by another program. Choose another one (--port), ` +
            `or leave the option out to get a free one`,
        );
      }
      chosen[name] = port;
    }
    for (const name of names) {
      if (name in chosen) continue;
      const before = remembered[name];
      chosen[name] = (before === undefined ? null : hold(before)) ?? any();
    }
    return chosen;
  } finally {
    for (const listener of held) listener.close();
  }
}
