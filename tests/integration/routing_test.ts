/** Routing seen from outside: a standalone proxy process, request targets and Host fields written byte by byte. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { Origin } from "../support/origin.ts";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One request on a connection of its own; `fetch` would tidy the target up before sending it. */
function raw(address: string, target: string, host = "any.test", method = "GET"): Promise<Answer> {
  const [name, port] = address.split(":") as [string, string];
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(Number(port), name);
    socket.setEncoding("latin1");
    socket.on("error", reject);
    socket.on("data", (piece) => void (text += piece));
    socket.on("close", () => resolve({ status: Number(text.slice(9, 12)), text }));
    socket.write(`${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  });
}

const to = (name: string, path: string, type = "PathPrefix"): Record<string, unknown> => ({
  matches: [{ path: { type, value: path } }],
  backendRefs: [{ name, port: 80 }],
});

function named(name: string, hostnames: string[], ...rules: unknown[]): unknown {
  const made = route(name, ...rules) as { spec: Record<string, unknown> };
  return { ...made, spec: { ...made.spec, hostnames } };
}

Deno.test("The path that is routed is the path that is forwarded", async (t) => {
  await using open = await Origin.start({
    answer: (request) => ({ body: `open ${request.path}` }),
  });
  await using closed = await Origin.start({
    answer: (request) => ({ body: `closed ${request.path}` }),
  });
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("open", open.address),
    service("closed", closed.address),
    route("r", to("open", "/"), to("closed", "/admin")),
  ]);
  const address = proxy.ready.listeners.http!;
  const forwarded: [target: string, wanted: string][] = [
    ["/a/b?x=//../y", "open /a/b?x=//../y"],
    ["/admin", "closed /admin"],
    ["/x/../admin", "closed /admin"],
    ["//admin//users", "closed /admin/users"],
    ["/./admin/", "closed /admin/"],
    ["/%61dmin", "closed /admin"],
    ["/admin/../x", "open /x"],
    ["/administration", "open /administration"],
    ["/caf%c3%a9", "open /caf%C3%A9"],
  ];
  for (const [target, wanted] of forwarded) {
    await t.step(`${target} arrives as ${wanted}`, async () => {
      const { status, text } = await raw(address, target);
      assert.equal(status, 200);
      assert.ok(text.endsWith(wanted), text);
    });
  }
  for (
    const target of [
      "/x%2f..%2fadmin",
      "/x/%2e%2e/admin",
      "/x/..;/admin",
      "/a%00",
      "/a%5cb",
      "/a\\b",
      "/%zz",
    ]
  ) {
    await t.step(`${target} is refused`, async () => {
      const before = open.requests.length + closed.requests.length;
      assert.equal((await raw(address, target)).status, 400);
      assert.equal(open.requests.length + closed.requests.length, before);
    });
  }
});

Deno.test("Hosts choose routes, and what nobody serves gets 404 with its reason", async () => {
  await using origin = await Origin.start({ answer: (request) => ({ body: request.path }) });
  const edge = {
    ...gateway() as Record<string, unknown>,
    spec: { listeners: [{ name: "http", port: 0, protocol: "HTTP", hostname: "*.shop.example" }] },
  };
  await using proxy = await StandaloneProxy.start([
    edge,
    service("a", origin.address),
    named("exact", ["www.shop.example"], to("a", "/exact")),
    named("wide", ["*.shop.example"], to("a", "/wide")),
  ]);
  const address = proxy.ready.listeners.http!;
  const status = async (target: string, host: string): Promise<[number, string]> => {
    const { status, text } = await raw(address, target, host);
    return [status, /^denim-fault: (.+)\r$/m.exec(text)?.[1] ?? ""];
  };
  assert.deepEqual(await status("/exact", "www.shop.example"), [200, ""]);
  assert.deepEqual(await status("/exact", "WWW.shop.example:8080"), [200, ""]);
  assert.deepEqual(await status("/wide", "www.shop.example"), [200, ""]);
  assert.deepEqual(await status("/exact", "m.shop.example"), [404, "route.none"]);
  assert.deepEqual(await status("/wide", "shop.example"), [404, "route.unknown_host"]);
  assert.deepEqual(await status("/wide", "other.test"), [404, "route.unknown_host"]);
});
