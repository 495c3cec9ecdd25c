/** An HTTP/1.1 origin server on a raw socket, that answers and closes exactly as a test tells it to. */
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

export interface OriginRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case; of repeated fields the values joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface OriginReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Waits before it answers: a time, or until a test lets it go on. */
  readonly afterMs?: number;
  readonly after?: Promise<void>;
  /** Sends the head and a part of the body, then nothing more. */
  readonly stall?: boolean;
  /** Cuts the connection instead of answering. */
  readonly cut?: boolean;
}

export interface OriginOptions {
  readonly answer?: (request: OriginRequest, nth: number) => OriginReply;
  /** Closes a connection that has been idle for this long. */
  readonly idleMs?: number;
  /** Closes every connection right after its response, without having said so. */
  readonly closeAfterResponse?: boolean;
  /** To come back at an address it had before. */
  readonly port?: number;
}

export class Origin implements AsyncDisposable {
  readonly requests: OriginRequest[] = [];
  connections = 0;
  /** What it answers; a test may change it at any time. */
  answer: (request: OriginRequest, nth: number) => OriginReply;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #options: OriginOptions;

  private constructor(options: OriginOptions) {
    this.#options = options;
    this.answer = options.answer ?? (() => ({}));
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start(options: OriginOptions = {}): Promise<Origin> {
    const origin = new Origin(options);
    await new Promise<void>((resolve, reject) => {
      origin.#server.once("error", reject);
      origin.#server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    return origin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Closes every connection it has, as a server that restarts does. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.cutAll();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    let held = "";
    let idle: ReturnType<typeof setTimeout> | null = null;
    const rest = (): void => {
      if (this.#options.idleMs === undefined) return;
      idle = this.#later(this.#options.idleMs, () => socket.end());
    };
    const busy = (): void => {
      if (idle !== null) this.#forget(idle);
      idle = null;
    };
    rest();
    socket.on("data", (bytes: Uint8Array) => {
      busy();
      held += new TextDecoder("latin1").decode(bytes);
      for (let parsed = parseRequest(held); parsed !== null; parsed = parseRequest(held)) {
        held = held.slice(parsed.length);
        this.#serve(socket, parsed.request, rest);
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      busy();
      this.#sockets.delete(socket);
    });
  }

  #serve(socket: Socket, request: OriginRequest, rest: () => void): void {
    this.requests.push(request);
    const reply = this.answer(request, this.requests.length);
    const send = (): void => {
      if (reply.cut) return void socket.destroy();
      const body = reply.body ?? "ok";
      const length = reply.stall ? body.length + 10 : body.length;
      let head = `HTTP/1.1 ${reply.status ?? 200} X\r\ncontent-length: ${length}\r\n`;
      for (const [name, value] of Object.entries(reply.headers ?? {})) {
        head += `${name}: ${value}\r\n`;
      }
      socket.write(`${head}\r\n${request.method === "HEAD" ? "" : body}`);
      if (this.#options.closeAfterResponse) socket.end();
      else if (!reply.stall) rest();
    };
    if (reply.after !== undefined) void reply.after.then(send);
    else if (reply.afterMs === undefined) send();
    else this.#later(reply.afterMs, send);
  }

  #later(ms: number, then: () => void): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  #forget(timer: ReturnType<typeof setTimeout>): void {
    clearTimeout(timer);
    this.#timers.delete(timer);
  }
}

/** One whole request at the start of `text`, or null while there is none. */
export function parseRequest(text: string): { request: OriginRequest; length: number } | null {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const [line, ...fields] = text.slice(0, headEnd).split("\r\n");
  const [method, path] = line!.split(" ");
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const colon = field.indexOf(":");
    const name = field.slice(0, colon).toLowerCase(), value = field.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  const start = headEnd + 4;
  const whole = headers["transfer-encoding"] === "chunked"
    ? chunked(text, start)
    : counted(text, start, Number(headers["content-length"] ?? 0));
  if (whole === null) return null;
  return {
    request: { method: method!, path: path!, headers, body: whole.body },
    length: whole.end,
  };
}

function counted(
  text: string,
  start: number,
  length: number,
): { body: string; end: number } | null {
  const end = start + length;
  return text.length < end ? null : { body: text.slice(start, end), end };
}

function chunked(text: string, start: number): { body: string; end: number } | null {
  let body = "";
  for (let at = start;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const size = parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) {
      const end = text.indexOf("\r\n\r\n", lineEnd); // after the trailers, if there are any
      return end < 0 ? null : { body, end: end + 4 };
    }
    const next = lineEnd + 2 + size + 2;
    if (text.length < next) return null;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = next;
  }
}
