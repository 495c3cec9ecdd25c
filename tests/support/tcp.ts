/** Raw TCP for tests: apps that speak first, echo or swallow, and a client that counts what it gets. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { createHash } from "node:crypto";
import type { AddressInfo } from "node:net";
import { until } from "./mesh.ts";

/** A server in the test's own process; `serve` gets every connection. */
export class TcpApp implements AsyncDisposable {
  readonly port: number;
  /** Connections it has got. */
  accepted = 0;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  private constructor(server: Server, serve: (socket: Socket) => void) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket: Socket) => {
      this.accepted++;
      this.#open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#open.delete(socket));
      serve(socket);
    });
  }

  static async start(serve: (socket: Socket) => void): Promise<TcpApp> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new TcpApp(server, serve);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }
  get open(): number {
    return this.#open.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Sends back what it gets, and its own end after the client's. */
export function echo(socket: Socket): void {
  socket.pipe(socket);
}

/** A client that keeps what it gets as latin-1 text, or only counts it and its digest. */
export class TcpClient implements Disposable {
  readonly socket: Socket;
  text = "";
  bytes = 0;
  /** The server has sent its last byte. */
  ended = false;
  /** How the connection went: null while it is there, "" when it closed, else the error's code. */
  closed: string | null = null;
  readonly #digest = createHash("sha256");
  readonly #keep: boolean;

  constructor(address: string, options: { keep?: boolean } = {}) {
    const at = address.lastIndexOf(":");
    this.#keep = options.keep ?? true;
    this.socket = connect({
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      allowHalfOpen: true,
    });
    let code = "";
    this.socket.on("error", (e: NodeJS.ErrnoException) => code = e.code ?? String(e));
    this.socket.on("close", () => this.closed = code);
    this.socket.on("end", () => this.ended = true);
    this.socket.on("data", (bytes: Uint8Array) => {
      this.bytes += bytes.length;
      if (this.#keep) this.text += latin1(bytes);
      else this.#digest.update(bytes);
    });
  }

  send(text: string): this {
    this.socket.write(text, "latin1");
    return this;
  }
  /** Sends no more; goes on reading. */
  end(): this {
    this.socket.end();
    return this;
  }
  digest(): string {
    return this.#digest.digest("hex");
  }

  /** Resolves when `fits` holds; rejects with what there is when it does not within 10 s. */
  async until(fits: (client: TcpClient) => boolean, what = "that"): Promise<void> {
    await until(
      () => fits(this) ? true : null,
      10_000,
      () =>
        `${what} did not happen: got ${this.bytes} bytes ${
          JSON.stringify(this.text.slice(-200))
        }, ended ${this.ended}, closed ${this.closed}`,
    );
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Writes `total` bytes of a pattern, never faster than they are taken; their digest. */
export async function pour(
  socket: Socket,
  total: number,
  progress: (sent: number) => void = () => {},
): Promise<string> {
  const block = new Uint8Array(64 * 1024);
  for (let i = 0; i < block.length; i++) block[i] = (i * 2654435761) >>> 24;
  const digest = createHash("sha256");
  for (let sent = 0; sent < total;) {
    const piece = block.subarray(0, Math.min(block.length, total - sent));
    digest.update(piece);
    progress(sent += piece.length);
    if (!socket.write(piece)) await new Promise((resolve) => socket.once("drain", resolve));
  }
  return digest.digest("hex");
}
