/** `node_oracle.mjs` as a child: what Node's HTTP parser (llhttp) makes of bytes. */

const PROGRAM = new URL("./node_oracle.mjs", import.meta.url).pathname;

export class NodeOracle implements AsyncDisposable {
  readonly #child = new Deno.Command("node", { args: [PROGRAM], stdin: "piped", stdout: "piped" })
    .spawn();
  readonly #input = this.#child.stdin.getWriter();
  readonly #lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  #buffered = "";

  /** One question, one answer; see the program. */
  async ask(question: unknown): Promise<unknown> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(question) + "\n"));
    while (!this.#buffered.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("the oracle has ended");
      this.#buffered += value;
    }
    const end = this.#buffered.indexOf("\n");
    const line = this.#buffered.slice(0, end);
    this.#buffered = this.#buffered.slice(end + 1);
    return JSON.parse(line);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#lines.cancel();
    await this.#child.status;
  }
}
