/** The example as a user runs it: two versions of the server and the client, each beside a sidecar. */
import { deepStrictEqual as same, match } from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { startMesh } from "../../tests/support/mesh.ts";

const HERE = new URL("./", import.meta.url);

async function resources(): Promise<unknown[]> {
  const text = await Deno.readTextFile(new URL("mesh.yaml", HERE));
  return parseAllDocuments(text).map((one) => one.toJS());
}

/** One of the example's programs. */
function program(name: string, env: Record<string, string>): Deno.ChildProcess {
  return new Deno.Command("node", {
    args: [new URL(name, HERE).pathname],
    env,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

interface Server extends AsyncDisposable {
  readonly address: string;
}

async function server(version: string): Promise<Server> {
  const child = program("server.mjs", { VERSION: version, PORT: "0" });
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await lines.read();
  match(value, /listens on 127\.0\.0\.1:\d+/);
  return {
    address: value.trim().split(" ").at(-1)!,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await lines.cancel();
    },
  };
}

async function client(outbound: string): Promise<string[]> {
  const { stdout } = await program("client.mjs", { OUTBOUND: new URL(outbound).host }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

Deno.test("The gRPC example does what its page says", async () => {
  await using v1 = await server("v1");
  await using v2 = await server("v2");
  await using mesh = await startMesh({
    gateway: false,
    services: [
      { name: "greeter", labels: { version: "v1" }, address: v1.address },
      { name: "greeter", labels: { version: "v2" }, address: v2.address },
      { name: "web" },
    ],
    resources: await resources(),
  });
  const said = await client(mesh.outbound("web"));
  same(said.slice(0, -1), [
    "Hello Ada from v1",
    "Hello Bob from v2",
    "Hello Carol from v1",
    "Hello Dave from v1",
  ]);
  match(said.at(-1)!, /^DEADLINE_EXCEEDED: /);
});

Deno.test("The gRPC example says UNAVAILABLE and why when no greeter runs", async () => {
  await using mesh = await startMesh({
    gateway: false,
    services: [{ name: "web" }],
    resources: await resources(),
  });
  const [first] = await client(mesh.outbound("web"));
  match(first!, /^UNAVAILABLE: The backend has no healthy endpoint \(backend\.no_endpoint\)$/);
});
