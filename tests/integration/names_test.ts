/** Endpoints given by name: the addresses behind it, for as long as the name server says. */
import assert from "node:assert/strict";
import { denim } from "../support/denim.ts";
import { http } from "../support/http.ts";
import { until } from "../support/mesh.ts";
import { NameServer } from "../support/name_server.ts";
import { gateway, policy, route, service, StandaloneProxy } from "../support/standalone.ts";

/** One app at the same port of several loopback addresses, which says at which it was asked. */
function appAt(...addresses: string[]): AsyncDisposable & { readonly port: number } {
  let port = 0;
  const servers = addresses.map((hostname) => {
    const server = Deno.serve({ hostname, port, onListen() {} }, () => new Response(hostname));
    port = server.addr.port;
    return server;
  });
  return {
    port,
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all(servers.map((server) => server.shutdown()));
    },
  };
}

async function serving(proxy: StandaloneProxy, host: string): Promise<string> {
  const { status, body } = await http(proxy.url(), { headers: { host } });
  return status === 200 ? body : `${status} ${body}`;
}

Deno.test("Requests follow a name to its new addresses when its ttl is over, not before, and stay while it cannot be asked", async () => {
  await using names = await NameServer.start();
  await using app = appAt("127.0.0.2", "127.0.0.3", "127.0.0.4");
  names.names.set("shop.example", { addresses: ["127.0.0.2", "127.0.0.3"], ttlS: 1 });
  names.names.set("mute.example", { addresses: ["127.0.0.2"], ttlS: 1 });
  names.names.set("long.example", { addresses: ["127.0.0.2"], ttlS: 3600 });
  const hosts = ["shop", "mute", "long"];
  await using proxy = await StandaloneProxy.start([
    gateway(),
    ...hosts.flatMap((host) => [
      service(host, `${host}.example:${app.port}`),
      policy(host, { loadBalancer: { algorithm: "round_robin" }, retry: { attempts: 0 } }),
      withHost(route(host, { backendRefs: [{ name: host, port: 80 }] }), host),
    ]),
  ], ["--dns", names.address]);

  // Every address behind a name is an endpoint of its own.
  const seen = new Set<string>();
  for (let i = 0; i < 6; i++) seen.add(await serving(proxy, "shop"));
  assert.deepEqual([...seen].sort(), ["127.0.0.2", "127.0.0.3"]);
  assert.equal(await serving(proxy, "mute"), "127.0.0.2");

  names.names.set("shop.example", { addresses: ["127.0.0.4"], ttlS: 1 });
  names.names.set("mute.example", "fail");
  names.names.set("long.example", { addresses: ["127.0.0.4"], ttlS: 3600 });
  await until(async () => await serving(proxy, "shop") === "127.0.0.4" ? true : null, 20_000);
  for (let i = 0; i < 10; i++) assert.equal(await serving(proxy, "shop"), "127.0.0.4");
  const asked = (name: string): number => names.asked.filter((one) => one === name).length;
  // The last good address serves on, and the name is asked for again.
  await until(() => asked("mute.example") > 1 ? true : null, 20_000);
  assert.equal(await serving(proxy, "mute"), "127.0.0.2");
  assert.equal(await serving(proxy, "long"), "127.0.0.2");
  assert.equal(asked("long.example"), 1);
});

Deno.test("A name that nobody knows costs its own requests 503, and nobody else's", async () => {
  await using names = await NameServer.start();
  await using app = appAt("127.0.0.2");
  names.names.set("shop.example", { addresses: ["127.0.0.2"], ttlS: 60 });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("shop", `shop.example:${app.port}`),
    withHost(route("shop", { backendRefs: [{ name: "shop", port: 80 }] }), "shop"),
    service("lost", "lost.example:80"),
    withHost(route("lost", { backendRefs: [{ name: "lost", port: 80 }] }), "lost"),
  ], ["--dns", names.address]);
  assert.equal(await serving(proxy, "shop"), "127.0.0.2");
  assert.match(await serving(proxy, "lost"), /^503 /);
  assert.match(await proxy.stop(), /"name.unresolved","name":"lost.example"/);
});

Deno.test("--dns wants an address and a port", async () => {
  const { code, err } = await denim(["proxy", "--config", "x.yaml", "--dns", "ns1.example:53"]);
  assert.equal(code, 2);
  assert.match(
    err,
    /--dns is "ns1.example:53"; wanted an IP address and a port such as 10.0.0.2:53/,
  );
});

function withHost(of: unknown, host: string): unknown {
  const resource = of as { spec: object };
  return { ...resource, spec: { ...resource.spec, hostnames: [host] } };
}
