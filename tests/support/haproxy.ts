/** haproxy as a second opinion: its defaults, one frontend on a local socket, one backend. */

const READY_MS = 5000;
const POLL_MS = 10;

export class Haproxy implements AsyncDisposable {
  /** The path of the socket it listens on. */
  readonly socket: string;
  readonly #child: Deno.ChildProcess;
  readonly #dir: string;
  readonly #logs: Promise<string>;

  private constructor(child: Deno.ChildProcess, dir: string) {
    this.#child = child;
    this.#dir = dir;
    this.socket = `${dir}/front.sock`;
    this.#logs = new Response(child.stderr).text();
  }

  /** `haproxy -v`'s version; null when there is none on the PATH. */
  static async version(): Promise<string | null> {
    try {
      const { stdout } = await new Deno.Command("haproxy", { args: ["-v"], stderr: "null" })
        .output();
      return /version (\S+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "unknown";
    } catch {
      return null;
    }
  }

  /** Starts one that hands everything to 127.0.0.1:`originPort`. Its sizes are raised above ours, its parser is as strict as it comes. */
  static async start(originPort: number): Promise<Haproxy> {
    return await Haproxy.#start((dir) => config(dir, originPort));
  }

  /**
   * Starts one that balances TCP: what comes to the addresses `fronts` goes to `port`, with the header of
   * the PROXY protocol before it.
   */
  static async balancing(
    fronts: readonly string[],
    port: number,
    send: "send-proxy" | "send-proxy-v2",
  ): Promise<Haproxy> {
    return await Haproxy.#start((dir) =>
      `global
  nbthread 1
defaults
  mode tcp
  timeout connect 2s
  timeout client 20s
  timeout server 20s
frontend front
  bind unix@${dir}/front.sock
${fronts.map((front) => `  bind ${front}`).join("\n")}
  default_backend denim
backend denim
  server denim 127.0.0.1:${port} ${send}
`
    );
  }

  static async #start(config: (dir: string) => string): Promise<Haproxy> {
    const dir = await Deno.makeTempDir({ prefix: "denim-haproxy-" });
    const path = `${dir}/haproxy.cfg`;
    await Deno.writeTextFile(path, config(dir));
    const child = new Deno.Command("haproxy", {
      args: ["-db", "-f", path],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const haproxy = new Haproxy(child, dir);
    let ended = false;
    child.status.then(() => ended = true);
    for (let waited = 0; !(await exists(haproxy.socket)); waited += POLL_MS) {
      if (ended || waited > READY_MS) {
        throw new Error(`haproxy did not start; it says:\n${await haproxy.#stop()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return haproxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  async #stop(): Promise<string> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended already
    }
    await this.#child.status;
    await Deno.remove(this.#dir, { recursive: true });
    return await this.#logs;
  }
}

function config(dir: string, originPort: number): string {
  return `global
  nbthread 1
  maxconn 200
  tune.http.maxhdr 256
  tune.bufsize 131072
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
frontend front
  bind unix@${dir}/front.sock
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort}
`;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
