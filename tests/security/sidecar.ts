/** A real sidecar process under attack, steered by a control plane that the test plays itself. */
import assert from "node:assert/strict";
import type {
  BackendSpec,
  EndpointSpec,
  HostSpec,
  ListenerSpec,
  Snapshot,
} from "../../control/schema/snapshot.ts";
import { parseDocuments } from "../../control/schema/parse.ts";
import { buildSnapshot, type Workload } from "../../control/snapshot/mod.ts";
import { keyName } from "../../proxy/tls/mod.ts";
import type { LeafOptions, TestDomain, TestSvid } from "../support/ca.ts";
import { FakeControl } from "../support/fake_control.ts";
import type { AttackResult } from "./attacker.ts";

const MAIN = new URL("../../cli/main.ts", import.meta.url).pathname;
const READY_MS = 20_000;
const LOGGED_MS = 10_000;

/** What the workload behind the sidecar answers; who gets to read it was let in. */
export const SECRET = "the application's answer";
/** A request that gets it. */
export const ASK = "GET /secret HTTP/1.1\r\nhost: victim\r\nconnection: close\r\n\r\n";

/** Its Service, for resources that are about it to come after. */
export const VICTIM = `apiVersion: denim.dev/v1
kind: Service
metadata: { name: victim }
spec: { ports: [{ port: 80 }] }
---`;

/** One JSON line of the sidecar's log. */
export type LogLine = Readonly<Record<string, unknown>>;

interface Ready {
  readonly admin: string;
  readonly inbound: string | null;
  readonly outbound: string | null;
  readonly listeners: Readonly<Record<string, string>>;
}

export interface SidecarOptions {
  /** Who its workload is; "victim" unless said otherwise. */
  readonly service?: string;
  /** How the sidecar's own leaf differs from a good one. */
  readonly leaf?: () => LeafOptions;
  /** Names of mesh listeners beside each other in one process; then it runs as a gateway. */
  readonly listeners?: readonly string[];
  /** Those of them that take plaintext too. */
  readonly permissive?: readonly string[];
  /** One more listener then, `edge`, that shows this to the world. */
  readonly edge?: TestSvid;
  /** Resources by which the control plane would configure it, in place of "everything goes to the app". */
  readonly resources?: string;
  /** What has registered beside it, for those resources. */
  readonly workloads?: readonly Workload[];
  /** More flags of the proxy. */
  readonly flags?: readonly string[];
  /** Other workloads its own may call, by host name. */
  readonly upstreams?: Readonly<Record<string, EndpointSpec>>;
}

export class Sidecar implements AsyncDisposable {
  readonly control: FakeControl;
  readonly log: LogLine[] = [];
  /** Requests its app has got. */
  requests = 0;
  readonly #child: Deno.ChildProcess;
  readonly #app: Deno.HttpServer<Deno.NetAddr>;
  readonly #dir: string;
  readonly #output: Promise<unknown>;
  #ready: Ready | null = null;
  #text = "";
  #wake: () => void = () => {};

  private constructor(
    control: FakeControl,
    child: Deno.ChildProcess,
    app: Deno.HttpServer<Deno.NetAddr>,
    dir: string,
  ) {
    this.control = control;
    this.#child = child;
    this.#app = app;
    this.#dir = dir;
    this.#output = Promise.all([
      eachLine(child.stdout, (line) => this.#heard(line)),
      eachLine(child.stderr, (line) => this.#logged(line)),
    ]);
  }

  static async start(domain: TestDomain, options: SidecarOptions = {}): Promise<Sidecar> {
    const { service = "victim" } = options;
    const dir = await Deno.makeTempDir({ prefix: "denim-attack-" });
    let sidecar: Sidecar | null = null;
    const app = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      if (sidecar !== null) sidecar.#served();
      return new Response(`${SECRET} for ${request.headers.get("x-denim-peer")}`);
    });
    const appAddress = `127.0.0.1:${app.addr.port}`;
    const control = await FakeControl.start(domain, {
      identity: domain.id(service),
      snapshot: options.resources === undefined
        ? snapshotFor(appAddress, options)
        : builtFrom(options.resources, options.workloads ?? [], service),
      ...(options.edge === undefined
        ? {}
        : { keys: new Map([[keyOf(options.edge), options.edge.keyPem]]) }),
      ...(options.leaf === undefined ? {} : { leaf: options.leaf }),
    });
    await Deno.writeTextFile(`${dir}/bundle.pem`, domain.rootPem);
    await Deno.writeTextFile(`${dir}/token`, control.token, { mode: 0o600 });
    const mode = options.listeners === undefined
      ? ["--service", service, "--app", appAddress, "--inbound", "127.0.0.1:0"]
        .concat(["--outbound", "127.0.0.1:0"])
      : ["--gateway", service, "--listen-address", "127.0.0.1"];
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", MAIN, "proxy", "--control", control.address, "--state", `${dir}/state`],
        ...["--trust-bundle", `${dir}/bundle.pem`, "--join-token-file", `${dir}/token`],
        ...["--admin", "127.0.0.1:0", ...mode, ...options.flags ?? []],
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const started = new Sidecar(control, child, app, dir);
    sidecar = started;
    try {
      await started.#until(() => started.#ready !== null, READY_MS, "a ready line");
      await control.until((message) => message.type === "ack");
      return started;
    } catch (problem) {
      await started[Symbol.asyncDispose]();
      throw problem;
    }
  }

  get pid(): number {
    return this.#child.pid;
  }
  /** URL of its admin pages. */
  get admin(): string {
    return this.#ready!.admin;
  }

  /** Port of its mesh listener, or of the one with this name. */
  port(name?: string): number {
    const address = name === undefined ? this.#ready?.inbound : this.#ready?.listeners[name];
    return Number(address?.split(":").at(-1));
  }

  /** `host:port` of a listener. */
  address(name: string): string {
    return `127.0.0.1:${this.port(name)}`;
  }

  /** What its workload gets when it calls `host` through the sidecar. */
  async call(host: string, path = "/"): Promise<{ status: number; body: string }> {
    const outbound = this.#ready?.outbound;
    if (outbound === null || outbound === undefined) throw new Error("no outbound listener");
    using conn = await Deno.connect({
      hostname: "127.0.0.1",
      port: Number(outbound.split(":").at(-1)),
    });
    await conn.write(
      new TextEncoder().encode(
        `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`,
      ),
    );
    const chunks: string[] = [];
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(4096);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      chunks.push(decoder.decode(buffer.subarray(0, n), { stream: true }));
    }
    const [head = "", body = ""] = chunks.join("").split("\r\n\r\n", 2);
    return { status: Number(head.split(" ")[1]), body };
  }

  /** Resolves when the app has been asked more often than `count` times. */
  async asked(count: number): Promise<void> {
    await this.#until(() => this.requests > count, LOGGED_MS, "a request to the app");
  }

  /** Resolves with the first line after `from` that has these members. */
  async logged(members: LogLine, from = 0): Promise<LogLine> {
    let found: LogLine | undefined;
    const has = (line: LogLine): boolean =>
      Object.entries(members).every(([name, value]) => line[name] === value);
    await this.#until(
      () => (found = this.log.slice(from).find(has)) !== undefined,
      LOGGED_MS,
      `a log line with ${JSON.stringify(members)}`,
    );
    return found!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended already
    }
    await this.#child.status;
    await this.#output;
    await this.control[Symbol.asyncDispose]();
    await this.#app.shutdown();
    await Deno.remove(this.#dir, { recursive: true }).catch(() => {});
  }

  #served(): void {
    this.requests++;
    this.#wake();
  }

  #heard(line: string): void {
    if (line.startsWith("{")) this.#ready ??= JSON.parse(line);
    this.#wake();
  }

  #logged(line: string): void {
    this.#text += `${line}\n`;
    if (line.startsWith("{")) this.log.push(JSON.parse(line));
    this.#wake();
  }

  /** Looks again whenever the sidecar says something. */
  async #until(met: () => boolean, limitMs: number, what: string): Promise<void> {
    const deadline = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => deadline.resolve(true), limitMs);
    void this.#child.status.then(() => deadline.resolve(true));
    try {
      while (!met()) {
        const spoke = new Promise<boolean>((done) => this.#wake = () => done(false));
        if (await Promise.race([spoke, deadline.promise]) && !met()) {
          throw new Error(`The sidecar gave no sign of ${what}; it logged:\n${this.#text}`);
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Nothing comes back, and the sidecar's log says why. */
export async function assertRefused(
  sidecar: Sidecar,
  attack: () => Promise<AttackResult>,
  reason: string,
): Promise<AttackResult> {
  const from = sidecar.log.length;
  const result = await attack();
  assert.equal(result.data, "");
  await sidecar.logged({ msg: "inbound.refused", reason }, from);
  return result;
}

/** What the control plane would tell this sidecar. */
function builtFrom(
  yaml: string,
  workloads: readonly Workload[],
  name: string,
): Omit<Snapshot, "version" | "trust"> {
  const { resources, errors } = parseDocuments(yaml);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return buildSnapshot({
    resources,
    workloads,
    modules: [],
    trust: { domain: "", bundle: [] },
    node: { kind: "sidecar", namespace: "default", name },
  });
}

/** Everything that comes in goes to the app; what goes out goes to the upstream of its host name. */
function snapshotFor(app: string, options: SidecarOptions): Omit<Snapshot, "version" | "trust"> {
  const { listeners, permissive = [], upstreams = {}, service = "victim" } = options;
  const hosts = [hostTo(["*"], "app")];
  const inbound = { name: "inbound", role: "inbound", tls: "mesh", hosts } as const;
  const outbound = {
    name: "outbound",
    role: "outbound",
    tls: "none",
    hosts: Object.keys(upstreams).map((name) => hostTo([name], name)),
  } as const;
  const backends: Record<string, BackendSpec> = { app: backendOf("app", { address: app }) };
  for (const [name, endpoint] of Object.entries(upstreams)) {
    backends[name] = backendOf(name, endpoint);
  }
  return {
    node: {
      kind: listeners === undefined ? "sidecar" : "gateway",
      namespace: "default",
      name: service,
    },
    listeners: listeners === undefined ? [inbound, outbound] : [
      ...listeners.map((name) => meshListener(name, hosts, permissive.includes(name))),
      ...edgeListeners(options, hosts),
    ],
    backends,
    modules: [],
  };
}

function meshListener(
  name: string,
  hosts: readonly HostSpec[],
  permissive: boolean,
): ListenerSpec {
  return { name, role: "gateway", port: 0, tls: permissive ? "permissive" : "mesh", hosts };
}

function edgeListeners({ edge }: SidecarOptions, hosts: readonly HostSpec[]): ListenerSpec[] {
  if (edge === undefined) return [];
  const { chainPem } = edge;
  const certificates = [{ name: "edge", hostnames: ["*"], chain: chainPem, key: keyOf(edge) }];
  return [{ name: "edge", role: "gateway", port: 0, tls: "edge", certificates, hosts }];
}

function keyOf({ keyPem }: TestSvid): string {
  return keyName(keyPem)!;
}

function hostTo(hostnames: readonly string[], backend: string): HostSpec {
  const backends = [{ backend, weight: 1, filters: [] }];
  return { hostnames, routes: [{ name: backend, matches: [], filters: [], backends }] };
}

function backendOf(name: string, endpoint: EndpointSpec): BackendSpec {
  return {
    name,
    endpoints: [endpoint],
    balancer: { algorithm: "p2c" },
    connectTimeoutMs: 1000,
    // Wide: who is attacked should not be refused for want of connections to the app.
    pool: { maxConnections: 2048, maxPending: 2048, idleTimeoutMs: 10_000 },
    outlier: null,
  };
}

async function eachLine(
  stream: ReadableStream<Uint8Array>,
  take: (line: string) => void,
): Promise<void> {
  let held = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    held += text;
    const lines = held.split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
}
