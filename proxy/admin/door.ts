/**
 * Where a proxy's own HTTP is served: a loopback port, a port for probes from elsewhere, or a Unix socket of
 * its owner alone. Read-only, and closed to pages in browsers.
 */
import { isIP } from "node:net";
import { basename, dirname } from "node:path";
import type { AdminPlace } from "../options.ts";

export interface AdminDoor {
  /** `http://host:port` or `unix:/path`. */
  readonly url: string;
  close(): Promise<void>;
}

export interface AdminRequest {
  readonly path: string;
  /** Whether it comes from this machine; others may know whether and how well the proxy runs, not with what. */
  readonly isLocal: boolean;
}

export type AdminHandler = (request: AdminRequest) => Response | Promise<Response>;

/** What is told to everybody who reaches the port. */
const PUBLIC_PATHS: readonly string[] = ["/livez", "/ready", "/metrics"];
const SOCKET_MODE = 0o600;

/** Throws with what to do when the place is taken. */
export function openDoor(place: AdminPlace, handler: AdminHandler): AdminDoor {
  return "unix" in place ? openSocket(place.unix, handler) : openPort(place, handler);
}

function openPort(
  { host, port }: { readonly host: string; readonly port: number },
  handler: AdminHandler,
): AdminDoor {
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({ hostname: host, port, onListen: () => {} }, (request, info) => {
      const { hostname, pathname } = new URL(request.url);
      if (hostname !== host && !isOwnName(hostname)) {
        return text(403, "The admin port answers to addresses and localhost only\n");
      }
      const isLocal = isLoopback(info.remoteAddr.hostname);
      if (!isLocal && !PUBLIC_PATHS.includes(pathname)) {
        const pages = PUBLIC_PATHS.join(", ");
        return text(403, `Only this machine is shown that; others may have ${pages}\n`);
      }
      return readOnly(request) ?? handler({ path: pathname, isLocal });
    });
  } catch (e) {
    if (!(e instanceof Deno.errors.AddrInUse)) throw e;
    throw new Error(
      `Cannot open the admin port on ${host}:${port}: the port is in use. ` +
        "Stop the program that has it, or choose another with --admin (port 0 takes a free one)",
    );
  }
  return { url: `http://${host}:${server.addr.port}`, close: () => server.shutdown() };
}

/** Bound in a folder nobody else may enter, so that at no moment others may connect; takes a former one's place. */
function openSocket(path: string, handler: AdminHandler): AdminDoor {
  let own: string;
  try {
    own = Deno.makeTempDirSync({ dir: dirname(path), prefix: `.${basename(path)}.` });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Cannot open the admin socket "${path}": ${reason}. Make its folder, or name another with --admin`,
    );
  }
  const server = Deno.serve({ path: `${own}/s`, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    return readOnly(request) ?? handler({ path: pathname, isLocal: true });
  });
  Deno.chmodSync(`${own}/s`, SOCKET_MODE);
  const { ino } = Deno.statSync(`${own}/s`);
  Deno.renameSync(`${own}/s`, path);
  Deno.removeSync(own);
  return {
    url: `unix:${path}`,
    async close() {
      await server.shutdown();
      removeOwn(path, ino);
    },
  };
}

/** The next process of the same proxy may have put its own there. */
function removeOwn(path: string, ino: number | null): void {
  try {
    if (Deno.statSync(path).ino === ino) Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function readOnly(request: Request): Response | null {
  if (request.method === "GET" || request.method === "HEAD") return null;
  return text(405, "The admin port is read-only\n");
}

/** A page's name can be pointed at this machine (DNS rebinding); an address is nobody's to point. */
function isOwnName(hostname: string): boolean {
  return hostname === "localhost" || isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}

export function text(status: number, body: string): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
