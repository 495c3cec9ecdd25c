/**
 * The bundle endpoint: our bundle for other trust domains, over TLS with the control plane's SVID
 * (https_spiffe) or with a certificate for a host name (https_web). Answers one GET a connection.
 */
import { createServer, type TlsOptions, type TLSSocket } from "node:tls";
import type { Log } from "../../core/log.ts";
import { type MeshIdentity, refuseHandshake } from "../../proxy/tls/mod.ts";
import type { Authority } from "../ca/mod.ts";
import { writePrivate } from "../files.ts";
import { listen, type Place } from "../listen.ts";
import { DEFAULT_REFRESH_MS, writeDocument } from "./document.ts";

export const ENDPOINT_LIMITS = { connections: 256, headBytes: 8192, idleMs: 10_000 } as const;

export interface EndpointOptions {
  readonly listen: Place;
  /** What it shows: the control plane's own identity, or PEM for a host name. */
  readonly identity: MeshIdentity | { readonly certPem: string; readonly keyPem: string };
  readonly authority: Pick<Authority, "bundle">;
  /** Where the count of bundles is kept. */
  readonly sequenceFile: string;
  readonly log: Log;
}

export interface RunningEndpoint {
  /** `host:port`. */
  readonly address: string;
  readonly profile: "https_spiffe" | "https_web";
  close(): Promise<void>;
}

export async function startEndpoint(options: EndpointOptions): Promise<RunningEndpoint> {
  const { identity, log } = options;
  const isWeb = "certPem" in identity;
  const server = createServer(isWeb ? webOptions(identity) : spiffeOptions(identity));
  const forget = isWeb
    ? () => {}
    : identity.onChange(() => server.setSecureContext(spiffeOptions(identity)));
  server.maxConnections = ENDPOINT_LIMITS.connections;
  const document = new OwnDocument(options);
  const sockets = new Set<TLSSocket>();
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, () => document.text(), log);
  });
  server.on("tlsClientError", (error, socket) => void refuseHandshake(error, socket));
  const address = await listen(
    server,
    options.listen,
    "Cannot serve the bundle",
    "--bundle-listen",
  );
  return {
    address,
    profile: isWeb ? "https_web" : "https_spiffe",
    async close() {
      forget();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function webOptions({ certPem, keyPem }: { certPem: string; keyPem: string }): TlsOptions {
  return { cert: certPem, key: keyPem, minVersion: "TLSv1.2", ALPNProtocols: ["http/1.1"] };
}

/** Clients have no identity of our domain, so none is asked of them. */
function spiffeOptions(identity: MeshIdentity): TlsOptions {
  const { keyPem, chainPem } = identity.material;
  return { cert: chainPem, key: keyPem, minVersion: "TLSv1.3", ALPNProtocols: ["http/1.1"] };
}

/** Our bundle and how often it has changed, over restarts. */
class OwnDocument {
  readonly #options: EndpointOptions;
  #known: { sequence: number; bundle: string } | null = null;
  /** One after the other: two first askers must not count twice. */
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  text(): Promise<string> {
    const text = this.#work.then(() => this.#text());
    this.#work = text.catch(() => {});
    return text;
  }

  async #text(): Promise<string> {
    const { authority, sequenceFile } = this.#options;
    const bundle = authority.bundle();
    this.#known ??= await readKnown(sequenceFile);
    if (this.#known === null || this.#known.bundle !== bundle.join("")) {
      this.#known = { sequence: (this.#known?.sequence ?? 0) + 1, bundle: bundle.join("") };
      await writePrivate(sequenceFile, JSON.stringify(this.#known));
    }
    const { sequence } = this.#known;
    return writeDocument(bundle, { sequence, refreshMs: DEFAULT_REFRESH_MS });
  }
}

async function readKnown(file: string): Promise<{ sequence: number; bundle: string } | null> {
  try {
    return JSON.parse(await Deno.readTextFile(file));
  } catch {
    return null;
  }
}

function serve(socket: TLSSocket, document: () => Promise<string>, log: Log): void {
  let head = "";
  let answered = false;
  socket.setTimeout(ENDPOINT_LIMITS.idleMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (part: Uint8Array) => {
    if (answered) return;
    head += new TextDecoder("latin1").decode(part);
    if (head.length > ENDPOINT_LIMITS.headBytes) return socket.destroy();
    if (!head.includes("\r\n\r\n")) return;
    answered = true;
    const [method, target] = head.split("\r\n", 1)[0]!.split(" ");
    if (method !== "GET") return answer(socket, "405 Method Not Allowed", "");
    if (target !== "/") return answer(socket, "404 Not Found", "");
    document().then((text) => answer(socket, "200 OK", text), (error: unknown) => {
      log.error("bundle.not_served", {
        reason: error instanceof Error ? error.message : String(error),
      });
      answer(socket, "500 Internal Server Error", "");
    });
  });
}

function answer(socket: TLSSocket, status: string, body: string): void {
  const length = new TextEncoder().encode(body).length;
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n` +
      `connection: close\r\n\r\n${body}`,
  );
}
