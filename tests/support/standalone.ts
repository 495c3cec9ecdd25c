/** `denim proxy --config FILE` as a child process, for tests that see only its sockets and its output. */
import { stringify } from "yaml";
import { PROXY_ENV, proxyV8Flags } from "../../proxy/launch.ts";

const MAIN = new URL("../../cli/main.ts", import.meta.url).pathname;
const READY_MS = 20_000;

/** What a proxy prints once it serves. */
export interface ReadyLine {
  readonly ready: true;
  readonly listeners: Readonly<Record<string, string>>;
  readonly admin: string;
  readonly pid: number;
}

export class StandaloneProxy implements AsyncDisposable {
  readonly ready: ReadyLine;
  readonly #child: Deno.ChildProcess;
  readonly #logs: Promise<string>;
  readonly #out: Promise<void>;
  readonly #dir: string;

  private constructor(
    child: Deno.ChildProcess,
    ready: ReadyLine,
    streams: { logs: Promise<string>; out: Promise<void> },
    dir: string,
  ) {
    this.#child = child;
    this.ready = ready;
    this.#logs = streams.logs;
    this.#out = streams.out;
    this.#dir = dir;
  }

  /** Starts one proxy from resources and waits until it says it is ready. */
  static async start(
    resources: readonly unknown[],
    flags: readonly string[] = [],
  ): Promise<StandaloneProxy> {
    const dir = await Deno.makeTempDir({ prefix: "denim-standalone-" });
    const file = `${dir}/denim.yaml`;
    await Deno.writeTextFile(file, resources.map((r) => stringify(r)).join("---\n"));
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        proxyV8Flags(),
        MAIN,
        ...["proxy", "--config", file, "--admin", "127.0.0.1:0", ...flags],
      ],
      env: { ...PROXY_ENV },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const logs = new Response(child.stderr).text();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const ready = await firstLine(lines);
    if (ready === null) {
      await child.status;
      throw new Error(`The proxy did not get ready; it says:\n${await logs}`);
    }
    const out = drain(lines);
    return new StandaloneProxy(child, JSON.parse(ready), { logs, out }, dir);
  }

  /** `http://host:port` of a listener. */
  url(listener = "http"): string {
    return `http://${this.ready.listeners[listener]}`;
  }

  /** One series of its metrics page; 0 when it is not there. */
  async metric(series: string): Promise<number> {
    const text = await (await fetch(`${this.ready.admin}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  /** Asks it to stop; its exit code, once it has drained. */
  async terminate(): Promise<number> {
    this.#child.kill("SIGTERM");
    return (await this.#child.status).code;
  }

  /** Ends it; what it logged. */
  async stop(): Promise<string> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended already
    }
    await this.#child.status;
    await this.#out;
    const logs = await this.#logs;
    await Deno.remove(this.#dir, { recursive: true }).catch(() => {});
    return logs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

type Lines = ReadableStreamDefaultReader<string>;

/** The first line, null when the stream ends without one. */
async function firstLine(lines: Lines): Promise<string | null> {
  const timer = setTimeout(() => void lines.cancel(), READY_MS);
  let text = "";
  try {
    while (!text.includes("\n")) {
      const { value, done } = await lines.read();
      if (done) return null;
      text += value;
    }
  } finally {
    clearTimeout(timer);
  }
  return text.slice(0, text.indexOf("\n"));
}

async function drain(lines: Lines): Promise<void> {
  while (!(await lines.read()).done);
}

/** A Gateway with one HTTP listener `http` at a free port. */
export function gateway(name = "edge"): unknown {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name },
    spec: { listeners: [{ name: "http", port: 0, protocol: "HTTP" }] },
  };
}

/** A Service with fixed addresses. */
export function service(name: string, ...endpoints: string[]): unknown {
  return {
    apiVersion: "denim.dev/v1",
    kind: "Service",
    metadata: { name },
    spec: { ports: [{ port: 80 }], endpoints },
  };
}

/** An HTTPRoute of the gateway `edge`. */
export function route(name: string, ...rules: unknown[]) {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name },
    spec: { parentRefs: [{ name: "edge" }], rules },
  };
}

/** A TrafficPolicy of one Service. */
export function policy(target: string, spec: Record<string, unknown>): unknown {
  return {
    apiVersion: "denim.dev/v1",
    kind: "TrafficPolicy",
    metadata: { name: `${target}-policy` },
    spec: { targetRefs: [{ group: "denim.dev", kind: "Service", name: target }], ...spec },
  };
}
