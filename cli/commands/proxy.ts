/** `denim proxy`: a sidecar, an edge gateway, or one proxy from one file. */
import { isIP } from "node:net";
import { type Args, type CommandSpec, parseDuration, parsePlace, UsageError } from "../args.ts";
import { limitNames, parseLimits } from "../limits.ts";
import { supervise } from "../supervise/command.ts";
import { EXIT, untilStopped, verb } from "../verb.ts";
import { type RunningProxy, startProxy, startStandalone } from "../../proxy/main.ts";
import { PROXY_HEAP_MIB } from "../../proxy/launch.ts";
import type {
  AdminPlace,
  Bind,
  ControlOptions,
  ProxyOptions,
  StandaloneOptions,
  SupervisedOptions,
  UpstreamOptions,
} from "../../proxy/options.ts";
import { writeReadyFile } from "../ready_file.ts";

/**
 * Permissions it needs: net, read and write of STATE (and of the ready file), read of the trust bundle,
 * the token file and its own sources, env (DENIM_DEBUG). It starts no program and loads no native library.
 */
const SPEC: CommandSpec = {
  usage: "denim proxy --service NAME | --gateway NAME | --config FILE  [flags]",
  about:
    "Starts one proxy. With --service it is the sidecar of a workload, with --gateway an edge\n" +
    "gateway, both under a control plane; with --config it runs alone from one YAML file.\n" +
    "Prints one JSON line when it serves; logs go to standard error.",
  flags: {
    service: { value: "NAME", help: "Sidecar: name the workload registers under" },
    app: { value: "HOST:PORT", help: "Sidecar: where the workload listens" },
    "app-port": {
      value: "PORT=HOST:PORT",
      many: true,
      help:
        "Sidecar: where the workload listens for the targetPort PORT of a Service port, when that " +
        "is not PORT on the host of --app",
    },
    upstream: {
      value: "NAME:PORT=HOST:PORT",
      many: true,
      help: "Sidecar: a local port that leads to a Service port of protocol TCP or TLS",
    },
    label: { value: "KEY=VALUE", many: true, help: "Sidecar: a label Services can select on" },
    inbound: { value: "HOST:PORT", default: "127.0.0.1:0", help: "Sidecar: mTLS from others" },
    outbound: { value: "HOST:PORT", default: "127.0.0.1:0", help: "Sidecar: from the workload" },
    advertise: { value: "HOST:PORT", help: "Sidecar: where others reach its inbound port" },
    gateway: { value: "NAME", help: "Gateway: resource whose listeners it opens" },
    config: { value: "FILE", help: "Alone: resources to run from" },
    "listen-address": {
      value: "HOST",
      default: "127.0.0.1",
      help: "Gateway and alone: address its listeners bind to",
    },
    control: { value: "HOST:PORT", help: "Control plane's port for proxies" },
    "trust-bundle": { value: "FILE", help: "PEM by which the control plane is known" },
    "join-token": { value: "TOKEN", help: "Lets this proxy in, once; prefer the file" },
    "join-token-file": { value: "FILE", help: "The same, in a file" },
    "join-jwt-file": {
      value: "FILE",
      help: "Lets it in by the service account token Kubernetes projects there, also again",
    },
    namespace: { value: "NAME", default: "default", help: "Of the service or gateway" },
    state: { value: "DIR", help: "Folder for identity and last good configuration" },
    admin: {
      value: "HOST:PORT|unix:PATH",
      default: "127.0.0.1:0",
      help: "Readiness, metrics, config dump; a Unix socket is for the same user only",
    },
    "ready-file": { value: "FILE", help: "Written when it serves" },
    "drain-timeout": { value: "TIME", default: "10s", help: "For running requests at SIGTERM" },
    "reuse-port": {
      help: "Share the ports with another proxy that has this flag: start the next version, then " +
        "stop this one",
    },
    supervise: {
      help:
        "Restart the proxy when it dies, with its ports kept open; SIGHUP replaces it by a new " +
        "process without losing a request",
    },
    workers: { value: "N", help: "Proxy processes that share the ports, 1 to 64; supervised" },
    "worker-memory": {
      value: "MIB",
      default: String(PROXY_HEAP_MIB),
      help: "Supervised: heap of each worker",
    },
    supervised: { value: "JSON", help: "Set by --supervise for the workers it starts" },
    limit: {
      value: "NAME=VALUE",
      many: true,
      help: `Another limit than the default: ${limitNames().join(", ")}`,
    },
    dns: {
      value: "IP:PORT",
      many: true,
      help: "Name server to ask for endpoints given by name; else those of the system",
    },
    "access-log": { help: "Log every request" },
    "access-log-filters": { help: "With what each Wasm filter cost it; implies --access-log" },
    "log-level": { value: "LEVEL", default: "info", help: "debug, info, warn or error" },
  },
  examples: [
    "denim proxy --config edge.yaml",
    "denim proxy --control 127.0.0.1:7001 --trust-bundle bundle.pem --join-token-file web.token \\",
    "      --service web --app 127.0.0.1:8080 --state ./web-state",
    "denim proxy --supervise --workers 2 --config edge.yaml",
  ],
};

export const run = verb(SPEC, async (args) => {
  const options = readOptions(args);
  if (args.on("supervise") || args.on("workers")) return await supervise(args, SPEC, options);
  const stop = new AbortController();
  const asked = options.supervised == null
    ? untilStopped()
    : Promise.race([untilStopped(), untilOrphaned()]);
  const stopped = asked.then(() => stop.abort());
  let proxy: RunningProxy;
  try {
    proxy = await start(options, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return EXIT.ok;
    throw error;
  }
  const line = JSON.stringify(proxy.ready());
  await writeReadyFile(options.readyFile, line);
  console.log(line);
  await stopped;
  await proxy.stop();
  return EXIT.ok;
});

const ORPHAN_LOOK_MS = 500;

/** Resolves when the supervisor has gone: nobody would ever stop this worker. */
function untilOrphaned(): Promise<void> {
  const parent = Deno.ppid;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (Deno.ppid !== parent) resolve();
    }, ORPHAN_LOOK_MS);
    Deno.unrefTimer(timer);
  });
}

async function start(options: ProxyOptions, signal: AbortSignal): Promise<RunningProxy> {
  if (options.mode !== "standalone") return await startProxy(options, signal);
  // Loaded here only: a sidecar parses no YAML.
  const { readStandalone } = await import("../standalone.ts");
  return await startStandalone(options, await readStandalone(options.config));
}

/** An address of a Unix socket has 108 bytes; it is bound in a folder beside this path at first. */
const MAX_SOCKET_PATH = 80;

/** The command line as options; throws UsageError. */
export function readOptions(args: Args): ProxyOptions {
  const modes = ["service", "gateway", "config"].filter((name) => args.on(name));
  if (modes.length !== 1) {
    throw new UsageError("One of --service, --gateway and --config is wanted");
  }
  const common = {
    admin: adminPlace(args.text("admin")),
    readyFile: args.find("ready-file"),
    accessLog: args.on("access-log") || args.on("access-log-filters"),
    accessLogFilters: args.on("access-log-filters"),
    logLevel: levelOf(args.text("log-level")),
    drainMs: parseDuration("--drain-timeout", args.text("drain-timeout")),
    ...parseLimits(args.all("limit")),
    dns: args.all("dns").map(nameServer),
    reusePort: args.on("reuse-port"),
    supervised: readSupervised(args.find("supervised")),
  };
  const listenAddress = args.text("listen-address");
  const config = args.find("config");
  if (config !== null) {
    const options: StandaloneOptions = { mode: "standalone", config, listenAddress, ...common };
    return options;
  }
  const control = controlOptions(args);
  const gateway = args.find("gateway");
  if (gateway !== null) return { mode: "gateway", gateway, listenAddress, ...common, ...control };
  return {
    mode: "sidecar",
    service: args.text("service"),
    labels: Object.fromEntries(args.all("label").map(parseLabel)),
    app: args.place("app"),
    appPorts: new Map(args.all("app-port").map(parseAppPort)),
    upstreams: args.all("upstream").map(parseUpstream),
    inbound: args.place("inbound"),
    outbound: args.place("outbound"),
    advertise: args.find("advertise"),
    ...common,
    ...control,
  };
}

function adminPlace(text: string): AdminPlace {
  if (!text.startsWith("unix:")) return parsePlace("--admin", text);
  const path = text.slice("unix:".length);
  if (path.startsWith("/") && path.length <= MAX_SOCKET_PATH) return { unix: path };
  throw new UsageError(
    `--admin is "${text}"; wanted a whole path of at most ${MAX_SOCKET_PATH} characters such as ` +
      "unix:/run/denim/admin.sock",
  );
}

function controlOptions(args: Args): ControlOptions {
  const given = ["join-token", "join-token-file", "join-jwt-file"].filter((name) => args.on(name));
  if (given.length > 1) {
    throw new UsageError(`${given.map((name) => `--${name}`).join(" and ")} exclude each other`);
  }
  const token = args.find("join-token"), file = args.find("join-token-file");
  const jwtFile = args.find("join-jwt-file");
  return {
    control: args.place("control"),
    trustBundleFile: args.text("trust-bundle"),
    joinToken: token !== null
      ? { token }
      : file !== null
      ? { file }
      : jwtFile !== null
      ? { jwtFile }
      : null,
    namespace: args.text("namespace"),
    state: args.text("state"),
  };
}

function nameServer(text: string): string {
  const { host, port } = parsePlace("--dns", text);
  if (isIP(host) === 0 || port === 0) {
    throw new UsageError(`--dns is "${text}"; wanted an IP address and a port such as 10.0.0.2:53`);
  }
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseLabel(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw new UsageError(`--label is "${text}"; wanted KEY=VALUE such as version=v2`);
}

function parseAppPort(text: string): [number, Bind] {
  const parts = /^(\d{1,5})=(.+)$/.exec(text);
  const port = Number(parts?.[1]);
  if (parts !== null && port >= 1 && port <= 65535) {
    return [port, parsePlace("--app-port", parts[2]!)];
  }
  throw new UsageError(
    `--app-port is "${text}"; wanted PORT=HOST:PORT such as 5432=127.0.0.1:15432`,
  );
}

function parseUpstream(text: string): UpstreamOptions {
  const parts = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?:(\d{1,5}))=(.+)$/.exec(text);
  const port = Number(parts?.[3]);
  if (parts !== null && port >= 1 && port <= 65535) {
    return { authority: parts[1]!, bind: parsePlace("--upstream", parts[4]!) };
  }
  throw new UsageError(
    `--upstream is "${text}"; wanted NAME:PORT=HOST:PORT such as db:5432=127.0.0.1:15432`,
  );
}

function levelOf(text: string): ProxyOptions["logLevel"] {
  if (text === "debug" || text === "info" || text === "warn" || text === "error") return text;
  throw new UsageError(`--log-level is "${text}"; wanted debug, info, warn or error`);
}

/** What the supervisor wrote; nobody else does. */
function readSupervised(json: string | null): SupervisedOptions | null {
  if (json === null) return null;
  const { worker, admin, sockets } = JSON.parse(json);
  return { worker, admin, sockets: new Map(Object.entries(sockets)) };
}
