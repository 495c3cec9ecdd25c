/** `grpc_peer.mjs` as a child: a gRPC client or server that is not ours, on Node's HTTP/2. */
const PROGRAM = new URL("./grpc_peer.mjs", import.meta.url).pathname;
const WAIT_MS = 15_000;

/** What a peer tells: `call` numbers the calls of a server, `id` those of a client. */
export interface GrpcEvent {
  readonly on?: string;
  readonly call?: number;
  readonly id?: string;
  readonly port?: number;
  readonly path?: string;
  readonly code?: number;
  readonly text?: string;
  readonly status?: number;
  readonly end?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface GrpcCall {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The request is its head only. */
  readonly end?: boolean;
}

export class GrpcPeer implements AsyncDisposable {
  readonly events: GrpcEvent[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #woken = Promise.withResolvers<void>();
  #calls = 0;
  #ended = false;

  private constructor(args: readonly string[]) {
    this.#child = new Deno.Command("node", {
      args: [PROGRAM, ...args],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Whether there is a Node to run it. */
  static async available(): Promise<boolean> {
    try {
      return (await new Deno.Command("node", { args: ["-v"], stdout: "null" }).output()).success;
    } catch {
      return false;
    }
  }

  /** A server at a free port of the loopback; with `failing`, a gRPC status, all calls get that. */
  static async serve(failing?: number): Promise<GrpcPeer & { readonly address: string }> {
    const peer = new GrpcPeer(["serve", ...(failing === undefined ? [] : [String(failing)])]);
    const { port } = await peer.next((event) => event.port !== undefined);
    return Object.assign(peer, { address: `127.0.0.1:${port}` });
  }

  /** A client with one connection to `http://host:port`, in HTTP/2 with prior knowledge. */
  static async client(url: string): Promise<GrpcPeer> {
    const peer = new GrpcPeer(["call", url]);
    await peer.next((event) => event.on === "connect");
    return peer;
  }

  /** Begins a call; its id, by which its events are told apart. */
  async open(call: GrpcCall): Promise<string> {
    const id = `c${++this.#calls}`;
    await this.#command({ do: "open", id, ...call });
    return id;
  }
  send(id: string, text: string): Promise<void> {
    return this.#command({ do: "send", id, text });
  }
  end(id: string): Promise<void> {
    return this.#command({ do: "end", id });
  }
  cancel(id: string): Promise<void> {
    return this.#command({ do: "cancel", id });
  }

  /** The first event that fits, once it is there. */
  async next(fits: (event: GrpcEvent) => boolean): Promise<GrpcEvent> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#woken.resolve();
    }, WAIT_MS);
    try {
      for (;;) {
        const found = this.events.find(fits);
        if (found !== undefined) return found;
        if (late) throw new Error(`No such event among ${JSON.stringify(this.events)}`);
        await this.#woken.promise;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Every event of one call of a client, once it is over. */
  async all(id: string): Promise<GrpcEvent[]> {
    await this.next((event) => event.id === id && event.on === "close");
    return this.events.filter((event) => event.id === id);
  }

  /** What a call came to: the fields that carry its gRPC status, and the code it was closed with. */
  async outcome(id: string): Promise<{ fields: Readonly<Record<string, string>>; code: number }> {
    const events = await this.all(id);
    const last = events.findLast((one) => one.on === "trailers" || (one.on === "head" && one.end));
    return { fields: last?.headers ?? {}, code: events.at(-1)!.code ?? 0 };
  }

  /** Ends it; once more is harmless. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#input.close();
    await this.#child.status;
    await this.#reading;
  }

  async #command(command: unknown): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(command)}\n`));
  }

  async #read(): Promise<void> {
    let held = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      held += text;
      const lines = held.split("\n");
      held = lines.pop() ?? "";
      for (const line of lines) this.events.push(JSON.parse(line));
      this.#woken.resolve();
      this.#woken = Promise.withResolvers<void>();
    }
  }
}
