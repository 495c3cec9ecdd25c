/** The control plane as a process: revisions, refusals, the API's walls, and what a kill -9 leaves. */
import assert from "node:assert/strict";
import { type Answer, ControlProcess } from "../support/control.ts";

const service = (name: string, over: Record<string, unknown> = {}) => ({
  apiVersion: "denim.dev/v1",
  kind: "Service",
  metadata: { name },
  spec: { ports: [{ port: 80 }], ...over },
});
const route = (name: string, backend: string, over: Record<string, unknown> = {}) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { name },
  spec: {
    parentRefs: [{ group: "denim.dev", kind: "Service", name: "web" }],
    rules: [{ backendRefs: [{ group: "denim.dev", kind: "Service", name: backend, port: 80 }] }],
    ...over,
  },
});

async function names(control: ControlProcess): Promise<string[]> {
  const { body } = await control.call("GET", "/api/v1/resources");
  return body.resources.map((one: { kind: string; metadata: { name: string } }) =>
    `${one.kind} ${one.metadata.name}`
  );
}

Deno.test("denim applies, shows, compares and rolls back", async () => {
  await using control = await ControlProcess.start();
  const file = `${control.data}/mesh.yaml`;
  await Deno.writeTextFile(
    file,
    [service("web"), service("api")].map((one) => JSON.stringify(one)).join("\n---\n"),
  );
  const applied = await control.denim("apply", "-f", file, "-m", "two services", "--wait");
  assert.equal(applied.code, 0, applied.err);
  assert.match(applied.out, /Service default\/web created\n.*api created\nRevision 1\n/);

  await Deno.writeTextFile(file, JSON.stringify(service("web", { ports: [{ port: 8080 }] })));
  const tried = await control.denim("apply", "-f", file, "--dry-run");
  assert.match(tried.out, /web updated\nNothing was changed/);
  await control.denim("apply", "-f", file);
  assert.match((await control.denim("apply", "-f", file)).out, /Nothing to change; revision 2/);

  const history = await control.denim("history");
  assert.match(history.out, /2 .*ann .*~1\n1 .*ann .*\+2 .*two services/);
  const diff = await control.denim("diff", "1", "2");
  assert.match(diff.out, /- {4}- port: 80\n.*\+ {4}- port: 8080/);

  const back = await control.denim("rollback", "1");
  assert.match(back.out, /web updated\nRevision 3/);
  const web = await control.denim("get", "service", "web", "-o", "json");
  assert.deepEqual(JSON.parse(web.out).spec.ports, [{ port: 80 }]);

  const deleted = await control.denim("delete", "service", "api");
  assert.match(deleted.out, /Service default\/api deleted\nRevision 4/);
  assert.deepEqual(await names(control), ["Service web"]);
  const missing = await control.denim("delete", "service", "api");
  assert.equal(missing.code, 1);
  assert.match(missing.err, /There is no Service "default\/api"/);
});

Deno.test("denim says what was wrong with the command line, and exits with 2", async () => {
  await using control = await ControlProcess.start();
  for (
    const [args, message] of [
      [["aply"], /did you mean: denim apply\?/],
      [["apply", "--fiel", "x"], /no flag --fiel; did you mean --file\?/],
      [["apply"], /--file FILE is wanted/],
      [["proxy", "--service", "web"], /wanted/],
      [["control", "--data", control.data, "--listen", "7000"], /wanted HOST:PORT/],
    ] as const
  ) {
    const { code, err } = await control.denim(...args);
    assert.equal(code, 2, args.join(" "));
    assert.match(err, message);
  }
  const help = await control.denim("apply", "--help");
  assert.equal(help.code, 0);
  assert.match(help.out, /Usage: denim apply[^]*--dry-run[^]*Examples:/);
});

/** What must be refused, where it must point to, and why. */
const BAD: readonly [what: string, resource: unknown, path: string, message: RegExp][] = [
  [
    "an unknown field",
    service("bad", { prots: [] }),
    "spec.prots",
    /did you mean "?ports"?/,
  ],
  [
    "a wrong type",
    service("bad", { ports: [{ port: "80" }] }),
    "spec.ports[0].port",
    /is "80"/,
  ],
  [
    "a backend that is not there",
    route("bad", "wbe"),
    "spec.rules[0].backendRefs[0].name",
    /wbe/,
  ],
  [
    "a filter that is not admitted",
    {
      apiVersion: "denim.dev/v1",
      kind: "FilterBinding",
      metadata: { name: "bad" },
      spec: {
        targetRefs: [{ group: "denim.dev", kind: "Service", name: "web" }],
        module: { name: "nobody/nothing" },
      },
    },
    "spec.module.name",
    /nobody\/nothing/,
  ],
  ["an unknown kind", { apiVersion: "v1", kind: "Servce", metadata: {} }, "kind", /Service/],
  ["a value that is no map", 7, "", /wanted a map/],
];

Deno.test("A bad resource is refused with its path and reason, and nothing of its apply is done", async () => {
  await using control = await ControlProcess.start();
  await control.apply(service("web"));
  for (const [what, resource, path, message] of BAD) {
    const { status, body } = await control.apply(service("good"), resource);
    assert.equal(status, 422, what);
    const detail = body.error.details[0];
    assert.equal(detail.path, path, what);
    assert.match(detail.message, message, what);
  }
  const { status, body } = await control.call("POST", "/api/v1/apply", {
    documents: "kind: Service\nkind: Service\n",
  });
  assert.equal(status, 422);
  assert.match(body.error.details[0].message, /"kind" twice/);
  assert.deepEqual(await names(control), ["Service web"]);
  const { body: { revisions } } = await control.call("GET", "/api/v1/revisions");
  assert.equal(revisions.length, 1);
});

Deno.test("What another resource names can neither be deleted nor rolled away", async () => {
  await using control = await ControlProcess.start();
  await control.apply(service("web"));
  await control.apply(service("api"), route("r", "api"));
  const gone = await control.call("DELETE", "/api/v1/resources/Service/default/api");
  assert.equal(gone.status, 422);
  assert.match(gone.body.error.details[0].resource, /HTTPRoute default\/r/);
  const back = await control.call("POST", "/api/v1/rollback", { revision: 1 });
  assert.equal(back.status, 200, "a rollback takes the route away together with its backend");
  assert.equal((await control.call("POST", "/api/v1/rollback", { revision: 9 })).status, 404);
});

Deno.test("Changes want the admin token and an honest Host, and bodies have a limit", async () => {
  await using control = await ControlProcess.start();
  const none = { authorization: "" };
  const code = ({ status, body }: Answer) => [status, body.error?.code];
  const apply = (headers: Record<string, string>, body: unknown = {}) =>
    control.call("POST", "/api/v1/apply", body, headers);
  assert.deepEqual(code(await apply(none)), [401, "unauthorized"]);
  assert.deepEqual(code(await apply({ authorization: "Bearer denim-admin-x" })), [
    401,
    "unauthorized",
  ]);
  assert.deepEqual(code(await control.call("POST", "/api/v1/tokens", {}, none)), [
    401,
    "unauthorized",
  ]);
  assert.deepEqual(
    code(await control.call("DELETE", "/api/v1/resources/Service/default/web", undefined, none)),
    [401, "unauthorized"],
  );
  assert.equal((await control.call("GET", "/api/v1/resources", undefined, none)).status, 200);
  assert.deepEqual(code(await apply({}, "{")), [400, "bad_json"]);
  assert.deepEqual(code(await apply({}, { documents: "", resources: [] })), [400, "bad_request"]);
  assert.deepEqual(code(await apply({ "content-type": "text/plain" })), [415, "bad_type"]);
  const huge = " ".repeat(9 * 1024 * 1024);
  assert.deepEqual(code(await apply({}, huge)), [413, "too_large"]);
  assert.deepEqual(code(await control.call("GET", "/api/v1/nothing")), [404, "not_found"]);
  assert.deepEqual(await rebound(control.url), [403, "bad_host"]);
});

/** A request as a browser sends it after the page's name was pointed at this machine. */
async function rebound(url: string): Promise<[number, string]> {
  const { hostname, port } = new URL(url);
  using socket = await Deno.connect({ hostname, port: Number(port) });
  const request = "GET /api/v1/proxies HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
  await socket.write(new TextEncoder().encode(request));
  const text = await new Response(socket.readable).text();
  return [Number(text.split(" ")[1]), JSON.parse(text.slice(text.indexOf("{"))).error.code];
}

Deno.test("A kill -9 in the middle of applies loses nothing that was answered", async () => {
  await using control = await ControlProcess.start();
  const bundle = await control.bundle();
  const { body: { token } } = await control.call("POST", "/api/v1/tokens", {
    identity: "default/web",
  });
  let answered = 0;
  const enough = Promise.withResolvers<void>();
  const applying = (async () => {
    for (let i = 1; i <= 500; i++) {
      const { status, body } = await control.apply(service("web", { ports: [{ port: i }] }));
      assert.equal(status, 200);
      answered = body.revision;
      if (answered === 20) enough.resolve();
    }
  })().catch((error: Error) => enough.reject(error)); // after the kill nobody hears of it
  await enough.promise;
  await control.kill();
  await applying;
  await control.revive();

  const { body: { revisions } } = await control.call("GET", "/api/v1/revisions");
  const newest = revisions[0].revision;
  assert.ok(newest >= answered, `${answered} was answered, ${newest} is there`);
  const { body: web } = await control.call("GET", "/api/v1/resources/Service/default/web");
  assert.equal(web.spec.ports[0].port, newest);
  assert.equal(await control.bundle(), bundle, "the same authority");
  const { FakeProxy } = await import("../support/fake_proxy.ts");
  const joined = await FakeProxy.join(control.mesh, bundle, token);
  assert.ok("id" in joined, "a token made before the kill still lets its proxy in");
});

Deno.test("A second control plane on the same folder, a busy port and a damaged store get a sentence", async () => {
  await using control = await ControlProcess.start();
  const second = await control.denim("control", "--data", control.data, "--listen", "127.0.0.1:0");
  assert.equal(second.code, 1);
  assert.match(
    second.err,
    /another control plane \(process \d+\) is running on it\. Stop that one/,
  );

  const other = await Deno.makeTempDir();
  const busy = ["control", "--data", other, "--listen", control.url.replace("http://", "")];
  const taken = await control.denim(...busy, "--mesh-listen", "127.0.0.1:0");
  assert.equal(taken.code, 1);
  assert.match(taken.err, /the port is in use\. .*--listen/);

  await Deno.writeTextFile(`${other}/denim.db`, "This is no database, whatever its name says.");
  const damaged = await control.denim("control", "--data", other, "--listen", "127.0.0.1:0");
  assert.equal(damaged.code, 1);
  assert.match(damaged.err, /denim\.db": it is damaged .*Restore it from a backup/);
  await Deno.remove(other, { recursive: true });
});
