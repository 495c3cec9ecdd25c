/** Both ends of a proxy on raw sockets: a client that sends bytes as given, an origin that answers as told. */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { parseRequest } from "../../support/origin.ts";

const LIMIT_MS = 10_000;

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** One connection of a client. */
export class Client implements Disposable {
  /** Everything that came back, as latin-1. */
  text = "";
  ended = false;
  readonly socket: Socket;
  #waiting: (() => void)[] = [];

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      allowHalfOpen: true,
    });
    this.socket.setEncoding("latin1");
    this.socket.on("data", (text: string) => {
      this.text += text;
      this.#look();
    });
    const over = (): void => {
      this.ended = true;
      this.#look();
    };
    for (const event of ["end", "error", "close"]) this.socket.on(event, over);
  }

  send(raw: string): void {
    this.socket.write(latin1(raw));
  }

  /** Resolves once it is so; rejects with what came instead. */
  until(so: (text: string) => boolean, what = "that"): Promise<string> {
    const told = Promise.withResolvers<string>();
    const timer = setTimeout(
      () => told.reject(new Error(`Waited for ${what} in vain; it said: ${this.text}`)),
      LIMIT_MS,
    );
    const look = (): void => {
      if (so(this.text)) told.resolve(this.text);
      else if (this.ended) told.reject(new Error(`It ended before ${what}: ${this.text}`));
      else this.#waiting.push(look);
    };
    look();
    return told.promise.finally(() => clearTimeout(timer));
  }

  has(pattern: RegExp): Promise<string> {
    return this.until((text) => pattern.test(text), String(pattern));
  }

  /** All of it, once the other side has ended. */
  async whole(): Promise<string> {
    return await this.until(() => this.ended, "the end");
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #look(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one();
  }
}

/** Sends `raw`; everything that comes back until the other side ends. */
export async function ask(url: string, raw: string): Promise<string> {
  using client = new Client(url);
  client.send(raw);
  return await client.whole();
}

/** What an origin does with a request; the pieces are written one after the other. */
export interface Script {
  /** `head`: answers as soon as the head has come; `request`: when all of it has. */
  readonly when: "head" | "request";
  /** Written as soon as the head has come. */
  readonly interim?: string;
  readonly reply: string;
  /** Closes afterwards. */
  readonly close?: boolean;
}

const OK: Script = { when: "request", reply: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" };

/** Answers by the first segment of the path. */
export class ScriptedOrigin implements AsyncDisposable {
  /** By script: the requests as they came, bytes as latin-1. */
  readonly got = new Map<string, string[]>();
  readonly #scripts: ReadonlyMap<string, Script>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(scripts: ReadonlyMap<string, Script>) {
    this.#scripts = scripts;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  static async start(scripts: ReadonlyMap<string, Script>): Promise<ScriptedOrigin> {
    const origin = new ScriptedOrigin(scripts);
    await new Promise<void>((resolve) => origin.#server.listen(0, "127.0.0.1", resolve));
    return origin;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    let held = "", answered = false, begun = false;
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      held += text;
      for (;;) {
        if (!held.includes("\r\n\r\n")) return;
        const name = /^\S+ (?:https?:\/\/[^/]*)?\/([^/? ]*)/.exec(held)?.[1] ?? "";
        const script = this.#scripts.get(name) ?? OK;
        if (!begun && script.interim !== undefined) socket.write(latin1(script.interim));
        begun = true;
        const whole = parseRequest(held);
        if (!answered && (whole !== null || script.when === "head")) {
          answered = true;
          socket.write(latin1(script.reply));
          if (script.close) socket.end();
        }
        if (whole === null) return;
        const got = this.got.get(name) ?? [];
        got.push(held.slice(0, whole.length));
        this.got.set(name, got);
        held = held.slice(whole.length);
        answered = begun = false;
      }
    });
  }
}
