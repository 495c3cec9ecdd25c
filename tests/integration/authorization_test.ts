/** AuthorizationPolicy in a whole mesh: real sidecars with mTLS, a gateway, HTTP, TCP and gRPC. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as nodeRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { AUDIENCE, goodClaims, ISSUER, TestKey } from "../../filters/jwt/fakes.ts";
import { denim } from "../support/denim.ts";
import { GrpcPeer } from "../support/grpc_peer.ts";
import { type Answer, http } from "../support/http.ts";
import { meshRoute, meshService, startMesh, type TestMesh, until } from "../support/mesh.ts";
import { echo, TcpApp, TcpClient } from "../support/tcp.ts";

type Fields = Readonly<Record<string, unknown>>;

function policy(name: string, spec: Fields, namespace = "default"): unknown {
  return {
    apiVersion: "denim.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name, namespace },
    spec,
  };
}

const CATALOG = { targetRefs: [{ kind: "Service", name: "catalog" }] };
/** Matches nobody, refuses nobody: what a policy becomes when a step is over. */
const IDLE = { ...CATALOG, action: "AUDIT", rules: [{ to: [{ operation: { paths: ["/-"] } }] }] };

/** Says which request target arrived, byte for byte. */
async function startTeller(): Promise<{ address: string; server: Server } & AsyncDisposable> {
  const server = createServer((request, response) => response.end(request.url));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A request whose target is sent as it stands. */
async function asked(mesh: TestMesh, target: string): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(mesh.outbound("web"));
  const request = nodeRequest({
    hostname,
    port,
    path: target,
    headers: { host: "catalog.default" },
    agent: false,
  });
  request.end();
  const [response] = await once(request, "response");
  let body = "";
  for await (const part of response) body += part;
  return { status: response.statusCode, body };
}

async function startShop(more: { http: string; grpc?: string; tcp: TcpApp }): Promise<TestMesh> {
  return await startMesh({
    proxyFlags: ["--access-log"],
    services: [
      { name: "web", flags: ["--upstream", "catalog:7000=127.0.0.1:0"] },
      {
        name: "job",
        namespace: "batch",
        flags: ["--upstream", "catalog.default:7000=127.0.0.1:0"],
      },
      {
        name: "catalog",
        address: more.http,
        flags: [
          ...["--app-port", `700=${more.tcp.address}`],
          ...(more.grpc === undefined ? [] : ["--app-port", `500=${more.grpc}`]),
        ],
      },
    ],
    resources: [
      meshService("catalog", {
        ports: [
          { port: 80 },
          { port: 7000, protocol: "TCP", targetPort: 700 },
          { port: 5000, protocol: "GRPC", targetPort: 500 },
        ],
      }),
      meshRoute("catalog", [{ backendRefs: [{ name: "catalog", port: 80 }] }]),
    ],
  });
}

async function call(mesh: TestMesh, from: string, path = "/", method = "GET"): Promise<Answer> {
  return await http(`${mesh.outbound(from)}${path}`, {
    method,
    headers: { host: "catalog.default" },
  });
}

/** Whether a port of the catalog's that is no HTTP gives back what is sent. */
async function echoes(mesh: TestMesh, from: string, name: string): Promise<boolean> {
  using client = new TcpClient(mesh.listener(from, name));
  client.send("hello");
  await client.until(({ text, closed }) => text === "hello" || closed !== null);
  return client.text === "hello";
}

const node = await GrpcPeer.available();

Deno.test("AuthorizationPolicy decides at the sidecar of who is asked, for HTTP, TCP and gRPC", async (t) => {
  await using tcp = await TcpApp.start(echo);
  await using teller = await startTeller();
  await using grpc = node ? await GrpcPeer.serve() : null;
  await using mesh = await startShop({
    tcp,
    http: teller.address,
    ...(grpc === null ? {} : { grpc: grpc.address }),
  });

  await t.step("ALLOW by identity, and the reason stays in the log", async () => {
    await mesh.apply([
      policy("a", { ...CATALOG, rules: [{ from: [{ source: { serviceAccounts: ["web"] } }] }] }),
    ]);
    assert.equal((await call(mesh, "web")).status, 200);
    const refused = await call(mesh, "job");
    assert.equal(refused.status, 403);
    assert.equal(refused.headers["denim-fault"], "authz.denied");
    assert.doesNotMatch(refused.body, /default\/a|ALLOW/);
    const line = await mesh.logged("catalog", (one) => one["refused_by"] !== undefined);
    assert.equal(line["refused_by"], "(no ALLOW matches)");
    assert.match(String(line["peer"]), /\/ns\/batch\/sa\/job$/);
    assert.ok(
      await mesh.metric("catalog", 'denim_authz_refused_total{policy="(no ALLOW matches)"}') >= 1,
    );
  });

  await t.step("DENY comes first, by namespace, method and path", async () => {
    await mesh.apply([
      policy("a", IDLE),
      policy("b", {
        action: "DENY",
        rules: [{
          from: [{ source: { namespaces: ["batch"] } }],
          to: [{ operation: { methods: ["DELETE"], paths: ["/books/{**}"] } }],
        }],
      }),
    ]);
    assert.equal((await call(mesh, "job", "/books/1", "DELETE")).status, 403);
    assert.equal((await call(mesh, "job", "/books/1")).status, 200);
    assert.equal((await call(mesh, "web", "/books/1", "DELETE")).status, 200);
    const line = await mesh.logged("catalog", (one) => one["refused_by"] === "default/b");
    assert.equal(line["status"], 403);
  });

  await t.step("one spelling of a path is routed, judged and forwarded", async () => {
    await mesh.apply([policy("b", {
      ...CATALOG,
      action: "DENY",
      rules: [{ to: [{ operation: { paths: ["/admin", "/admin/*"] } }] }],
    })]);
    const DENIED = [
      ..."/admin /admin/x //admin /./admin /x/../admin /x//..//admin /%61dmin /%61%64min/x".split(
        " ",
      ),
      ..."/admin?x=1 /admin;x=1 /admin;x/y /;x/admin /admin/%2e /a/../admin/%7e".split(" "),
    ];
    for (const target of DENIED) {
      const answer = await asked(mesh, target);
      if (answer.status === 400) assert.match(target, /%2e/i); // refused before anybody looks
      else assert.equal(answer.status, 403, target);
    }
    for (
      const target of [
        "/x/%2e%2e/admin",
        "/x/.%2E/admin",
        "/x%2Fadmin",
        "/x%5cadmin",
        "/%00admin",
        "/x/..;/admin",
      ]
    ) {
      assert.equal((await asked(mesh, target)).status, 400, target);
    }
    // What passes arrives as it was judged: escapes in upper case, ordinary characters as themselves.
    for (
      const [target, arrives] of [
        ["/Admin", "/Admin"],
        ["/adm%c3%aen", "/adm%C3%AEn"],
        ["/x//%7eann/./y", "/x/~ann/y"],
        ["/administrators", "/administrators"],
        ["/x;a=1/y", "/x;a=1/y"],
      ] as const
    ) {
      const { status: code, body } = await asked(mesh, target);
      assert.equal(code, 200, target);
      assert.equal(body, arrives);
    }
  });

  await t.step("a dry run counts and refuses nobody", async () => {
    const series = 'denim_authz_dry_run_total{policy="default/b",decision="deny"}';
    await mesh.apply([policy("b", {
      ...CATALOG,
      dryRun: true,
      rules: [{ from: [{ source: { principals: ["*/sa/web"] } }] }],
    })]);
    assert.equal((await call(mesh, "web")).status, 200);
    assert.equal(await mesh.metric("catalog", series), 0);
    assert.equal((await call(mesh, "job", "/who?secret")).status, 200);
    assert.equal(await mesh.metric("catalog", series), 1);
    const line = await mesh.logged("catalog", (one) => one["msg"] === "authz.dry_run");
    assert.equal(line["path"], "/who");
    assert.match(String(line["peer"]), /sa\/job$/);
    const told = await until(async () => {
      const { out } = await denim([
        ...["get", "authorizationpolicies", "--control", mesh.client.url],
      ]);
      return out.includes("1 would be refused") ? out : null;
    }, 15_000);
    assert.match(told, /AuthorizationPolicy +default +b +\S+ +\d+ refused, 1 would be refused/);
  });

  await t.step("AUDIT logs and lets pass", async () => {
    await mesh.apply([
      policy("b", {
        ...CATALOG,
        action: "AUDIT",
        rules: [{ to: [{ operation: { methods: ["PUT"] } }] }],
      }),
    ]);
    assert.equal((await call(mesh, "web", "/x", "PUT")).status, 200);
    const line = await mesh.logged("catalog", (one) => one["msg"] === "authz.audit");
    assert.equal(line["policy"], "default/b");
    assert.equal(await mesh.metric("catalog", 'denim_authz_audit_total{policy="default/b"}'), 1);
  });

  await t.step(
    "TCP: by identity and port; rules of HTTP allow nothing there, and are shown",
    async () => {
      await mesh.apply([
        policy("b", {
          ...CATALOG,
          rules: [{
            from: [{ source: { serviceAccounts: ["web"] } }],
            to: [{ operation: { ports: ["7000"] } }],
          }],
        }),
      ]);
      assert.equal(await echoes(mesh, "web", "catalog:7000"), true);
      assert.equal(await echoes(mesh, "job", "catalog.default:7000"), false);
      assert.equal((await call(mesh, "web")).status, 403, "port 80 is another");
      await mesh.apply([
        policy("b", {
          ...CATALOG,
          rules: [{ to: [{ operation: { methods: ["CONNECT", "GET"] } }] }],
        }),
      ]);
      assert.equal(await echoes(mesh, "web", "catalog:7000"), false);
      assert.equal((await call(mesh, "web")).status, 200);
      const { out } = await denim([
        "get",
        "authz",
        "b",
        "-o",
        "yaml",
        "--control",
        mesh.client.url,
      ]);
      assert.match(out, /HttpRuleOnTcp/);
      await mesh.apply([policy("b", {
        ...CATALOG,
        action: "DENY",
        rules: [{
          from: [{ source: { namespaces: ["batch"] } }],
          to: [{ operation: { methods: ["DELETE"] } }],
        }],
      })]);
      assert.equal(await echoes(mesh, "web", "catalog:7000"), true);
      assert.equal(await echoes(mesh, "job", "catalog.default:7000"), false);
      assert.equal((await call(mesh, "job")).status, 200);
    },
  );

  await t.step({
    name: "gRPC: by service and method; refused calls are PERMISSION_DENIED",
    ignore: !node,
    async fn() {
      await mesh.apply([policy("b", {
        ...CATALOG,
        rules: [{ to: [{ operation: { paths: ["/test.S/Echo"], methods: ["POST"] } }] }],
      })]);
      await using client = await GrpcPeer.client(mesh.outbound("web"));
      const headers = { ":authority": "catalog:5000" };
      const asked = await client.open({ path: "/test.S/Echo", headers, end: true });
      assert.equal((await client.outcome(asked)).fields["grpc-status"], "0");
      const refused = await client.open({ path: "/test.S/Hang", headers, end: true });
      const { fields } = await client.outcome(refused);
      assert.deepEqual([fields["grpc-status"], fields["denim-fault"]], ["7", "authz.denied"]);
    },
  });

  await t.step(
    "users by what their verified tokens say, at the sidecar and at the Gateway",
    async () => {
      const key = new TestKey("ES256");
      const tokens = (name: string, kind: string) => ({
        apiVersion: "denim.dev/v1",
        kind: "RequestAuthentication",
        metadata: { name },
        spec: {
          targetRefs: [{ kind, name }],
          jwtRules: [{
            issuer: ISSUER,
            audiences: [AUDIENCE],
            jwks: { keys: [key.jwk] },
            forwardOriginalToken: true,
          }],
        },
      });
      const rules = [{
        from: [{ source: { requestPrincipals: [`${ISSUER}/ann`] } }],
        when: [{ key: "request.auth.claims.realm.roles", values: ["admin"] }],
      }];
      const bearer = (over: Fields): Record<string, string> => ({
        authorization: `Bearer ${key.token(goodClaims(Date.now(), over))}`,
      });
      const admin = { realm: { roles: ["user", "admin"] } };
      const cases: [headers: Record<string, string>, status: number][] = [
        [bearer(admin), 200],
        [bearer({ ...admin, sub: "bob" }), 403],
        [bearer({ realm: { roles: ["user"] } }), 403],
        [bearer({ "realm.roles": "admin" }), 403],
        [{}, 403],
      ];
      const edge = { targetRefs: [{ kind: "Gateway", name: "edge" }] };
      for (
        const [place, url] of [
          ["catalog", mesh.outbound("web")],
          ["edge", mesh.gatewayUrl],
        ] as const
      ) {
        const target = place === "edge" ? edge : CATALOG;
        await mesh.apply([
          tokens("catalog", "Service"),
          tokens("edge", "Gateway"),
          policy("b", IDLE),
          policy("users", { ...target, rules }),
        ]);
        for (const [headers, wanted] of cases) {
          const { status } = await http(url, { headers: { host: "catalog.default", ...headers } });
          assert.equal(status, wanted, `${place} ${JSON.stringify(headers)}`);
        }
      }
      await mesh.apply([policy("users", IDLE)]);
    },
  );

  await t.step(
    "default deny: nothing passes that no policy allows, and Gateways keep their own",
    async () => {
      const config = (authorization: Fields) => ({
        apiVersion: "denim.dev/v1",
        kind: "MeshConfig",
        metadata: { name: "default" },
        spec: { authorization },
      });
      await mesh.apply([policy("b", IDLE), config({ default: "deny", dryRun: true })]);
      assert.equal((await call(mesh, "web")).status, 200);
      assert.ok(
        await mesh.metric(
          "catalog",
          'denim_authz_dry_run_total{policy="(default deny)",decision="deny"}',
        ) >
          0,
      );
      await mesh.apply([config({ default: "deny" })]);
      assert.equal((await call(mesh, "web")).status, 403);
      const world = await http(mesh.gatewayUrl);
      assert.equal(world.status, 403);
      await mesh.apply([
        policy("b", { ...CATALOG, rules: [{ from: [{ source: { principals: ["*/sa/edge"] } }] }] }),
      ]);
      assert.equal((await http(mesh.gatewayUrl)).status, 200);
      assert.equal((await call(mesh, "web")).status, 403);
    },
  );

  await t.step("Gateways: by address, where nobody has an identity", async () => {
    const edge = (source: Fields, more: Fields = {}) =>
      policy("edge", {
        targetRefs: [{ kind: "Gateway", name: "edge" }],
        rules: [{ from: [{ source }] }],
        ...more,
      });
    const status = async (headers: Readonly<Record<string, string>> = {}) =>
      (await http(mesh.gatewayUrl, { headers })).status;
    await mesh.apply([edge({ ipBlocks: ["127.0.0.0/8"] })]);
    assert.equal(await status(), 200);
    await mesh.apply([edge({ remoteIpBlocks: ["192.0.2.0/24"] })]);
    assert.equal(
      await status({ "x-forwarded-for": "192.0.2.1" }),
      403,
      "strangers are not believed",
    );
    await mesh.apply([edge({ principals: ["*"] })]);
    assert.equal(await status(), 403);
    await mesh.apply([edge({ notPrincipals: ["*"] })]);
    assert.equal(await status(), 200);
  });
});
