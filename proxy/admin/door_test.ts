/** A proxy's own HTTP: who reaches what of it. */
import assert from "node:assert/strict";
import { type AdminDoor, openDoor } from "./door.ts";

const handler = ({ path, isLocal }: { path: string; isLocal: boolean }): Response =>
  new Response(`${path} ${isLocal ? "local" : "from elsewhere"}`);

async function ask(door: AdminDoor, path: string, headers = {}, method = "GET"): Promise<string> {
  const answer = await raw(door, `${method} ${path} HTTP/1.1`, { host: "localhost", ...headers });
  return `${answer.split(" ")[1]} ${answer.split("\r\n\r\n")[1]?.split("\r\n").join(" ").trim()}`;
}

/** By hand, because a client would not send a name that is not its own. */
async function raw(
  door: AdminDoor,
  line: string,
  headers: Record<string, string>,
): Promise<string> {
  const url = URL.parse(door.url)!;
  using socket = door.url.startsWith("unix:")
    ? await Deno.connect({ transport: "unix", path: door.url.slice(5) })
    : await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
  const fields = Object.entries({ ...headers, connection: "close" });
  const head = [line, ...fields.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  await socket.write(new TextEncoder().encode(head));
  return await new Response(socket.readable).text();
}

Deno.test("openDoor answers to addresses and localhost, and to no name a page could have", async () => {
  const door = openDoor({ host: "127.0.0.1", port: 0 }, handler);
  for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]", "10.1.2.3:15000"]) {
    assert.equal(await ask(door, "/config_dump", { host }), "200 /config_dump local", host);
  }
  for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.nip.example"]) {
    assert.match(await ask(door, "/ready", { host }), /^403 /, host);
  }
  await door.close();
});

Deno.test("openDoor is read-only", async () => {
  const door = openDoor({ host: "127.0.0.1", port: 0 }, handler);
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    assert.match(await ask(door, "/ready", { "content-length": "0" }, method), /^405 /, method);
  }
  await door.close();
});

/** An address of this machine that is not the loopback, as a probe of the kubelet would come from. */
function outerAddress(): string | null {
  const found = Deno.networkInterfaces().find((one) =>
    one.family === "IPv4" && !one.address.startsWith("127.")
  );
  return found?.address ?? null;
}

const outer = outerAddress();
Deno.test({
  name: "openDoor tells others whether the proxy runs, and not with which configuration",
  ignore: outer === null,
  async fn() {
    const door = openDoor({ host: outer!, port: 0 }, handler);
    for (const path of ["/livez", "/ready", "/metrics"]) {
      assert.equal(await ask(door, path, { host: outer }), `200 ${path} from elsewhere`);
    }
    for (const path of ["/config_dump", "/stats", "/workers", "/", "/metrics/../config_dump"]) {
      assert.match(await ask(door, path, { host: outer }), /^403 /, path);
    }
    await door.close();
  },
});

Deno.test("openDoor on a Unix socket is its owner's alone, takes a former one's place and goes at the end", async () => {
  const dir = await Deno.makeTempDir({ prefix: "denim-admin-" });
  const unix = `${dir}/admin.sock`;
  const former = openDoor({ unix }, handler);
  assert.equal(former.url, `unix:${unix}`);
  assert.equal((await Deno.stat(unix)).mode! & 0o777, 0o600);
  assert.equal(await ask(former, "/config_dump"), "200 /config_dump local");
  assert.match(await ask(former, "/ready", { "content-length": "0" }, "POST"), /^405 /);
  const next = openDoor({ unix }, () => new Response("the next"));
  await former.close();
  assert.equal(await ask(next, "/ready"), "200 the next");
  await next.close();
  assert.deepEqual([...Deno.readDirSync(dir)], []);
  assert.throws(() => openDoor({ unix: `${dir}/no/admin.sock` }, handler), /Make its folder/);
  await Deno.remove(dir);
});
