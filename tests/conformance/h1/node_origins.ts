/** `node_origin.mjs` as a child: two origins on Node's parser, and what they were sent. */
import type { Forwarded } from "./forwarded.ts";

const PROGRAM = new URL("./node_origin.mjs", import.meta.url).pathname;

export class NodeOrigins implements AsyncDisposable {
  ports: readonly number[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #buffered = "";

  private constructor() {
    this.#child = new Deno.Command("node", { args: [PROGRAM], stdin: "piped", stdout: "piped" })
      .spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async start(): Promise<NodeOrigins> {
    const origins = new NodeOrigins();
    const { ports } = JSON.parse(await origins.#line());
    origins.ports = ports;
    return origins;
  }

  /** The methods Node knows: it refuses others, which RFC 9110 9.1 allows. Null: there is no Node. */
  static async methods(): Promise<ReadonlySet<string> | null> {
    try {
      const { stdout, success } = await new Deno.Command("node", {
        args: ["-p", "require('http').METHODS.join()"],
        stderr: "null",
      }).output();
      return success ? new Set(new TextDecoder().decode(stdout).trim().split(",")) : null;
    } catch {
      return null;
    }
  }

  /** What came to one origin since the last time, by connection. */
  async take(index: number): Promise<Forwarded[]> {
    await this.#input.write(new TextEncoder().encode(`${index}\n`));
    return JSON.parse(await this.#line());
  }

  async #line(): Promise<string> {
    while (!this.#buffered.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("the origins have ended");
      this.#buffered += value;
    }
    const end = this.#buffered.indexOf("\n");
    const line = this.#buffered.slice(0, end);
    this.#buffered = this.#buffered.slice(end + 1);
    return line;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#lines.cancel();
    await this.#child.status;
  }
}
