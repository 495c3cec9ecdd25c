/** HTTPS at the edge of a mesh: a Secret goes in, its key reaches the gateway that needs it and nothing else. */
import assert from "node:assert/strict";
import { ControlProcess } from "../support/control.ts";
import { meshRoute, startMesh, until } from "../support/mesh.ts";
import { keyName } from "../../proxy/tls/mod.ts";
import { ask, dialTls, edgeWithTls, PublicAuthority, tlsSecret } from "../support/tls.ts";

const EDGE = edgeWithTls("shop.test", "shop");
const GET = "GET / HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n";

/** Every file below `folder` that holds one of `texts`. */
async function filesWith(folder: string, texts: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isFile, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await filesWith(path, texts));
    if (!isFile) continue;
    const text = new TextDecoder("latin1").decode(await Deno.readFile(path));
    if (texts.some((one) => text.includes(one))) found.push(path);
  }
  return found;
}

Deno.test("A Secret's certificate is served by the gateway, and its key is nowhere to be seen", async () => {
  const authority = new PublicAuthority();
  const ca = authority.rootPem;
  const [first, second] = [authority.issue("shop.test"), authority.issue("shop.test", "new.test")];
  await using mesh = await startMesh({
    services: [{ name: "web", app: () => new Response("hello") }],
    resources: [
      EDGE,
      tlsSecret("shop", first),
      meshRoute("web", [{ backendRefs: [{ name: "web", port: 80 }] }]),
    ],
  });
  const place = mesh.listener("gateway", "https");
  const shown = async (): Promise<string> => {
    const socket = await dialTls({ place, servername: "shop.test", ca });
    const names = String(socket.getPeerCertificate().subjectaltname);
    assert.match(await ask(socket, GET), /^HTTP\/1\.1 200 [^]*hello$/);
    return names;
  };
  assert.equal(await shown(), "DNS:shop.test");

  // A new certificate is one more revision; connections stay, and so does the listener.
  const kept = await dialTls({ place, servername: "shop.test", ca });
  await mesh.apply([tlsSecret("shop", second)]);
  assert.equal(await shown(), "DNS:shop.test, DNS:new.test");
  assert.match(await ask(kept, GET), /^HTTP\/1\.1 200 /);

  // What goes out may come in again: a Secret that was read out still names the key that is kept.
  const read = async (path: string): Promise<string> =>
    JSON.stringify(await mesh.client.get(`/api/v1${path}`));
  const given = JSON.parse(await read("/resources/secret/default/shop"));
  assert.match(given.data["tls.key"], /^sha256:[0-9a-f]{64}$/);
  await mesh.apply([{ ...given, metadata: { ...given.metadata, labels: { again: "yes" } } }]);
  assert.equal(await shown(), "DNS:shop.test, DNS:new.test");

  // A rollback brings the old certificate back, whose key is kept as long as its revision.
  const secrets = [first, second].flatMap(({ keyPem }) => [
    keyPem.split("\n")[1]!,
    btoa(keyPem).slice(40, 80),
  ]);
  for (const path of ["/resources", "/revisions", "/revisions/2", "/proxies", "/openapi.json"]) {
    const text = await read(path);
    for (const one of secrets) assert.ok(!text.includes(one), `a key is in ${path}`);
  }
  const dump = await (await fetch(`${mesh.admin("gateway")}/config_dump`)).text();
  for (const one of secrets) assert.ok(!dump.includes(one), "a key is in the config dump");
  const files = (await filesWith(mesh.folder, secrets)).map((path) =>
    path.slice(mesh.folder.length).replace(/[0-9a-f]{64}/, "HEX")
  );
  assert.deepEqual(files, ["/proxies/gateway/keys/HEX"], "only the gateway has one, the present");
  for await (const { name } of Deno.readDir(`${mesh.folder}/proxies/gateway/keys`)) {
    const { mode } = await Deno.stat(`${mesh.folder}/proxies/gateway/keys/${name}`);
    assert.equal(mode! & 0o077, 0, "others may read it");
  }

  // Without a control plane a gateway that starts anew has all it needs on its disk.
  await mesh.kill("control");
  const gateway = mesh.process("gateway");
  gateway.kill("SIGTERM");
  await gateway.stop();
  await mesh.revive("gateway");
  await mesh.logged("gateway", (record) => record["msg"] === "state.restored");
  const again = mesh.listener("gateway", "https");
  const socket = await dialTls({ place: again, servername: "shop.test", ca });
  await until(() => socket.authorized ? true : null, 1000);
  socket.destroy();
});

Deno.test("A control plane refuses Secrets that are of no use, without a word of the key", async () => {
  const authority = new PublicAuthority();
  const [a, b] = [authority.issue("a.test"), authority.issue("b.test")];
  await using control = await ControlProcess.start();
  const refused = async (resource: unknown): Promise<string> => {
    const { status, body } = await control.apply(resource);
    assert.equal(status, 422);
    return JSON.stringify(body);
  };
  const mixed = tlsSecret("x", { ...a, keyPem: b.keyPem });
  assert.match(await refused(mixed), /tls\.key.*does not belong to the first certificate/);
  const stranger = tlsSecret("x", a) as { data: Record<string, string> };
  stranger.data["tls.key"] = `sha256:${"0".repeat(64)}`;
  assert.match(await refused(stranger), /does not belong/);
  const gone = tlsSecret("x", a) as { data: Record<string, string> };
  gone.data["tls.key"] = keyName(a.keyPem)!;
  assert.match(await refused(gone), /is the name of a key that is not kept here/);
  const gateway = {
    ...EDGE,
    spec: {
      listeners: [{ ...EDGE.spec.listeners[1], port: 8443 }],
    },
  };
  assert.match(await refused(gateway), /names Secret .*default\/shop.*, which does not exist/);
  for (const text of [await refused(mixed), await refused(gateway)]) {
    for (const { keyPem } of [a, b]) assert.ok(!text.includes(keyPem.split("\n")[1]!));
  }
});
