/** The image: built, started in a network namespace of its own beside an app, and serving meshed traffic. */
import assert from "node:assert/strict";
import { Child, guarded } from "../../cli/local/child.ts";
import { ControlClient } from "../../cli/local/control_client.ts";
import { readLines } from "../../cli/local/log_file.ts";
import { stringify } from "yaml";
import {
  buildImage,
  Container,
  CONTAINER_USER,
  Namespace,
  removeImage,
  whyNoContainers,
} from "../support/container.ts";
import { http } from "../support/http.ts";
import { meshService, until } from "../support/mesh.ts";

const IMAGE = "localhost/denim-test";
const CLI = new URL("../../cli/main.ts", import.meta.url).pathname;

const reason = await whyNoContainers();
if (reason !== null) console.log(`tests/integration/container: skipped, ${reason}`);

Deno.test({
  name: "The image serves as control plane and sidecar beside an app in its own network namespace",
  ignore: reason !== null,
  fn: async () => {
    await buildImage(IMAGE);
    const dir = await Deno.makeTempDir({ prefix: "denim-container-" });
    try {
      await using namespace = await Namespace.create();
      await using container = await Container.create(IMAGE, namespace);
      await using app = startApp(namespace);
      const [control, client] = await startControl(container, namespace, dir);
      await using _control = control;
      await client.apply(
        [meshService("catalog"), meshService("web")].map((one) => stringify(one)).join("---\n"),
        "container test",
      );
      await using sidecar = await startSidecar(container, namespace, dir, client);
      await using outside = await startOutside(namespace, dir, client);

      // From this host, through a sidecar here, over mTLS, into the container, to the app beside it.
      const url = `http://${outside.line!["outbound"]}/hello`;
      const answer = await until(
        async () => {
          const got = await http(url, { headers: { host: "catalog" } }).catch(() => null);
          return got?.status === 200 ? got : null;
        },
        15_000,
        () => `No meshed answer; the sidecar in the container says:\n${sidecar.text()}`,
      );
      assert.deepEqual(JSON.parse(answer.body), {
        path: "/hello",
        peer: "spiffe://mesh.local/ns/default/sa/web",
      });

      // A stranger without a certificate gets nothing from it.
      await assert.rejects(
        fetch(`https://${namespace.address}:15006/hello`, { signal: AbortSignal.timeout(5_000) }),
      );
      assert.equal(await userOf(sidecar.line["pid"]), CONTAINER_USER);
      await app.status();
    } finally {
      await Deno.remove(dir, { recursive: true });
      await removeImage(IMAGE);
    }
  },
});

/** A process in the container that printed its ready line. */
interface Ready extends AsyncDisposable {
  readonly line: Readonly<Record<string, unknown>>;
  text(): string;
}

async function ready(process: Deno.ChildProcess): Promise<Ready> {
  const lines: string[] = [];
  const told = Promise.withResolvers<Record<string, unknown>>();
  const output = Promise.all([
    readLines(process.stdout, (line) => {
      lines.push(line);
      if (line.includes('"ready":true')) told.resolve(JSON.parse(line));
    }),
    readLines(process.stderr, (line) => lines.push(line)),
  ]).then(() => told.reject(new Error(`It ended before it was ready:\n${lines.join("\n")}`)));
  // The rejection after a good start is nobody's business.
  told.promise.catch(() => {});
  const timer = setTimeout(
    () => told.reject(new Error(`It was not ready in time:\n${lines.join("\n")}`)),
    20_000,
  );
  try {
    const line = await told.promise;
    return {
      line,
      text: () => lines.slice(-20).join("\n"),
      async [Symbol.asyncDispose](): Promise<void> {
        // buildah does not pass signals on: end the program itself, by the id it printed.
        Deno.kill(Number(line["pid"]), "SIGTERM");
        await process.status;
        await output;
      },
    };
  } finally {
    clearTimeout(timer);
  }
}

/** An ordinary app on the namespace's loopback: it tells who the sidecar says is calling. */
function startApp(namespace: Namespace): AsyncDisposable & { status(): Promise<void> } {
  const source = `Deno.serve({ hostname: "127.0.0.1", port: 8080, onListen() {} }, (request) =>
    Response.json({ path: new URL(request.url).pathname, peer: request.headers.get("x-denim-peer") }))`;
  const [program, args] = namespace.inside([Deno.execPath(), "eval", source]);
  const process = new Deno.Command(program, { args, stdin: "null" }).spawn();
  let ended = false;
  process.status.then(() => ended = true);
  return {
    status: () => ended ? Promise.reject(new Error("The app ended")) : Promise.resolve(),
    async [Symbol.asyncDispose](): Promise<void> {
      process.kill("SIGTERM");
      await process.status;
    },
  };
}

async function stateFolder(path: string): Promise<string> {
  await Deno.mkdir(path, { recursive: true });
  await Deno.chown(path, CONTAINER_USER, CONTAINER_USER);
  return `${path}:/var/lib/denim`;
}

async function startControl(
  container: Container,
  namespace: Namespace,
  dir: string,
): Promise<[Ready, ControlClient]> {
  const { address } = namespace;
  const control = await ready(container.run([
    "control",
    "--data",
    "/var/lib/denim",
    "--listen",
    `${address}:7000`,
    "--mesh-listen",
    `${address}:7001`,
  ], [await stateFolder(`${dir}/control`)]));
  const token = (await Deno.readTextFile(`${dir}/control/admin.token`)).trim();
  const client = new ControlClient(`http://${address}:7000`, token);
  await Deno.writeTextFile(`${dir}/bundle.pem`, await client.trustBundle());
  return [control, client];
}

async function startSidecar(
  container: Container,
  namespace: Namespace,
  dir: string,
  client: ControlClient,
): Promise<Ready> {
  const volume = await stateFolder(`${dir}/sidecar`);
  await Deno.writeTextFile(`${dir}/sidecar/token`, await client.joinToken("default/catalog"));
  await Deno.copyFile(`${dir}/bundle.pem`, `${dir}/sidecar/bundle.pem`);
  for (const file of ["token", "bundle.pem"]) {
    await Deno.chown(`${dir}/sidecar/${file}`, CONTAINER_USER, CONTAINER_USER);
  }
  return await ready(container.run([
    "proxy",
    "--supervise",
    "--control",
    `${namespace.address}:7001`,
    "--trust-bundle",
    "/var/lib/denim/bundle.pem",
    "--join-token-file",
    "/var/lib/denim/token",
    "--service",
    "catalog",
    "--app",
    "127.0.0.1:8080",
    "--state",
    "/var/lib/denim",
    "--inbound",
    `${namespace.address}:15006`,
    "--outbound",
    "127.0.0.1:15001",
    "--admin",
    "127.0.0.1:15000",
  ], [volume]));
}

/** A sidecar on the host, as the caller. */
async function startOutside(
  namespace: Namespace,
  dir: string,
  client: ControlClient,
): Promise<Child> {
  const child = new Child({
    name: "sidecar on the host",
    logPath: null,
    args: guarded(["-A"], CLI, [
      "proxy",
      "--control",
      `${namespace.address}:7001`,
      "--trust-bundle",
      `${dir}/bundle.pem`,
      "--join-token",
      await client.joinToken("default/web"),
      "--service",
      "web",
      "--app",
      "127.0.0.1:9",
      "--state",
      `${dir}/outside`,
      "--inbound",
      `${namespace.hostAddress}:0`,
      "--outbound",
      "127.0.0.1:0",
      "--admin",
      "127.0.0.1:0",
    ]),
  }, { restart: false });
  await child.start();
  return child;
}

async function userOf(pid: unknown): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${Number(pid)}/status`);
  return Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
}
