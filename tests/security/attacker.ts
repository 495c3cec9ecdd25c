/** Drives attacker.mjs under Node: one step, one answer. */

export type Version = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

/** One connection attempt; certificate and key are PEM. */
export interface Attack {
  readonly port: number;
  readonly cert?: string;
  readonly key?: string;
  /** Keep the session under this name, or resume the one kept so. */
  readonly save?: string;
  readonly resume?: string;
  readonly servername?: string;
  readonly minVersion?: Version;
  readonly maxVersion?: Version;
  readonly ALPNProtocols?: readonly string[];
  readonly send?: string;
  readonly waitMs?: number;
}

/** A server of the attacker's. */
export interface Trap {
  readonly cert: string;
  readonly key: string;
  readonly minVersion?: Version;
  readonly maxVersion?: Version;
  readonly ALPNProtocols?: readonly string[];
  /** Its answer to the first bytes it gets. */
  readonly say?: string;
  /** It leaves the connection open then. */
  readonly keep?: boolean;
}

export interface AttackResult {
  /** The client's own view; a server may still refuse afterwards. */
  readonly connected: boolean;
  readonly reused: boolean;
  readonly saved: boolean;
  /** Negotiated; "" for none, absent where there was no handshake. */
  readonly alpn?: string;
  /** What the server sent in answer. */
  readonly data: string;
  readonly error: string | null;
}

/** A Node process that attacks on command. */
export class Attacker implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #held = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Needs `node` on the path, which whoever ran `npx deno` has. */
  static start(): Attacker {
    const script = new URL("./attacker.mjs", import.meta.url).pathname;
    const command = new Deno.Command("node", {
      args: [script],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    });
    return new Attacker(command.spawn());
  }

  async attack(step: Attack): Promise<AttackResult> {
    return await this.#ask(step);
  }

  /** Opens a server that shows this certificate; gives its port. */
  async listen(options: Trap): Promise<number> {
    const { port } = await this.#ask<{ port: number }>({ listen: true, ...options });
    return port;
  }

  /** Bytes that came in at a server of ours, handshakes not counted. */
  async heard(port: number): Promise<number> {
    return (await this.#ask<{ bytes: number }>({ heard: port })).bytes;
  }

  async #ask<Answer>(step: object): Promise<Answer> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(step) + "\n"));
    for (;;) {
      const end = this.#held.indexOf("\n");
      if (end >= 0) {
        const line = this.#held.slice(0, end);
        this.#held = this.#held.slice(end + 1);
        return JSON.parse(line);
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("The attacker ended without an answer");
      this.#held += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#child.status;
  }
}
