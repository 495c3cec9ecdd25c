/** A control plane as a process of its own, and the `denim` command beside it. */
import { Child, guarded } from "../../cli/local/child.ts";
import type { MeshIdentity } from "../../proxy/tls/mod.ts";
import { FakeProxy } from "./fake_proxy.ts";

const CLI = new URL("../../cli/main.ts", import.meta.url).pathname;

export interface Answer {
  readonly status: number;
  // Tests look into answers of many forms.
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

export class ControlProcess implements AsyncDisposable {
  readonly data: string;
  readonly #flags: readonly string[];
  #child: Child;
  url = "";
  mesh = "";
  token = "";

  private constructor(data: string, flags: readonly string[]) {
    this.data = data;
    this.#flags = flags;
    this.#child = this.#make();
  }

  static async start(...flags: string[]): Promise<ControlProcess> {
    return await ControlProcess.startIn(
      await Deno.makeTempDir({ prefix: "denim-control-" }),
      ...flags,
    );
  }

  /** On a folder that has something in it already; it goes with the process. */
  static async startIn(data: string, ...flags: string[]): Promise<ControlProcess> {
    const control = new ControlProcess(data, flags);
    await control.#start();
    return control;
  }

  /** `kill -9`, and a new process on the same folder and ports. */
  async restart(): Promise<void> {
    await this.kill();
    await this.#start();
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.stop();
  }

  async revive(): Promise<void> {
    await this.#start();
  }

  /** One call of the API, with the admin token. */
  async call(method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        "content-type": "application/json",
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = (response.headers.get("content-type") ?? "").includes("json");
    return { status: response.status, body: isJson ? JSON.parse(text) : text };
  }

  /** Applies plain resources. */
  async apply(...resources: unknown[]): Promise<Answer> {
    return await this.call("POST", "/api/v1/apply", { resources });
  }

  /** An identity for `namespace/name`, by a join token of its own. */
  async identity(name: string): Promise<MeshIdentity> {
    const { body: { token } } = await this.call("POST", "/api/v1/tokens", { identity: name });
    const joined = await FakeProxy.join(this.mesh, await this.bundle(), token);
    if ("type" in joined) throw new Error(joined.message);
    return joined;
  }

  async bundle(): Promise<string> {
    return (await this.call("GET", "/api/v1/trust-bundle")).body;
  }

  /** Runs `denim ARGS` against it. */
  async denim(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const run = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", CLI, ...args],
      env: { DENIM_CONTROL: this.url, DENIM_TOKEN: this.token, USER: "ann" },
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
    return { code: run.code, out: text(run.stdout), err: text(run.stderr) };
  }

  /** What it logged last. */
  logs(): readonly string[] {
    return this.#child.log.lines();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
    this.#child.log[Symbol.dispose]();
    await Deno.remove(this.data, { recursive: true });
  }

  #make(): Child {
    const place = (address: string): string => address === "" ? "127.0.0.1:0" : address;
    const args = [
      "control",
      "--data",
      this.data,
      "--listen",
      place(this.url.replace("http://", "")),
      "--mesh-listen",
      place(this.mesh),
      ...this.#flags,
    ];
    return new Child(
      { name: "control plane", args: guarded(["-A"], CLI, args), logPath: null },
      { restart: false },
    );
  }

  async #start(): Promise<void> {
    this.#child.log[Symbol.dispose]();
    this.#child = this.#make();
    const line = await this.#child.start();
    this.url = String(line["url"]);
    this.mesh = String(line["mesh"]);
    this.token = (await Deno.readTextFile(`${this.data}/admin.token`)).trim();
  }
}

/** Asks until `fits` says yes; rejects after a while with what was answered last. */
export async function eventually<T>(
  ask: () => Promise<T>,
  fits: (answer: T) => boolean,
): Promise<T> {
  const giveUpAt = performance.now() + 5000;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (performance.now() > giveUpAt) throw new Error(`It stays: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
