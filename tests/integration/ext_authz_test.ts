/**
 * External authorizers as they are: one that speaks HTTP, and one in Go that speaks Envoy's protocol by the
 * published protobufs (ext_authz/main.go; skipped where there is no Go, or its modules cannot be had).
 */
import assert from "node:assert/strict";
import { Guarded } from "../support/ext_authz.ts";
import { http } from "../support/http.ts";
import { startMesh, until } from "../support/mesh.ts";
import { Origin } from "../support/origin.ts";
import { found } from "../support/programs.ts";

const ASK_HTTP = { pathPrefix: "/check", include: [], toUpstream: [], toClientOnAllow: [] };
const BODY = { maxBytes: 10, allowPartial: false, packAsBytes: false };

Deno.test("An HTTP authorizer that says 200 lets the request pass, and changes what it may change", async () => {
  await using authorizer = await Origin.start({
    answer: () => ({
      headers: {
        "x-auth-user": "alice",
        "x-other": "is not on the list",
        "x-denim-peer": "spiffe://forged",
        "x-checked": "yes",
      },
    }),
  });
  await using guarded = await Guarded.start({
    authorizer: authorizer.address,
    config: {
      http: {
        ...ASK_HTTP,
        include: ["x-user", "cookie*"],
        toUpstream: ["x-auth-*", "x-denim-peer"],
        toClientOnAllow: ["x-checked"],
      },
      fields: [{ name: "x-shop", value: "42" }],
    },
  });
  const answer = await http(`${guarded.url}/a/b?c=d`, {
    method: "POST",
    body: "hello",
    headers: {
      host: "shop.test",
      "x-user": "alice",
      "x-auth-user": "mallory",
      "x-private": "1",
      "x-shop": "7",
      "denim-source-principal": "spiffe://forged",
      authorization: "Bearer t",
    },
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.body, 'the app got "hello"');
  assert.equal(answer.headers["x-checked"], "yes");

  const asked = authorizer.requests[0]!;
  assert.deepEqual([asked.method, asked.path, asked.body], ["POST", "/check/a/b?c=d", ""]);
  const { host, authorization } = asked.headers;
  assert.deepEqual([host, authorization], ["shop.test", "Bearer t"]);
  assert.deepEqual([asked.headers["x-user"], asked.headers["x-shop"]], ["alice", "42"]);
  for (const name of ["x-private", "x-auth-user", "denim-source-principal"]) {
    assert.equal(asked.headers[name], undefined, name);
  }
  const got = guarded.app.requests[0]!.headers;
  assert.equal(got["x-auth-user"], "alice");
  assert.equal(got["x-other"], undefined);
  assert.equal(got["x-denim-peer"], undefined);
  assert.equal(guarded.count("allowed"), 1);
});

Deno.test("An HTTP authorizer's refusal is the client's, by the list of fields", async () => {
  const refusal = {
    status: 302,
    headers: { location: "https://login.test/", "x-reason": "who", "x-inner": "1" },
    body: "log in first",
  };
  await using authorizer = await Origin.start({ answer: () => refusal });
  const ask = async (toClientOnDeny?: string[]) => {
    await using guarded = await Guarded.start({
      authorizer: authorizer.address,
      config: {
        http: { ...ASK_HTTP, ...(toClientOnDeny === undefined ? {} : { toClientOnDeny }) },
      },
    });
    const answer = await http(guarded.url);
    assert.equal(guarded.app.requests.length, 0);
    assert.equal(guarded.count("denied"), 1);
    return answer;
  };
  const all = await ask();
  assert.deepEqual([all.status, all.body], [302, "log in first"]);
  assert.equal(all.headers["location"], "https://login.test/");
  assert.deepEqual([all.headers["x-reason"], all.headers["x-inner"]], ["who", "1"]);
  const some = await ask(["x-reason"]);
  assert.equal(some.headers["location"], "https://login.test/", "a redirect is nothing without it");
  assert.deepEqual([some.headers["x-reason"], some.headers["x-inner"]], ["who", undefined]);
});

Deno.test("An authorizer that gives no answer refuses, or lets pass where it is told to", async (t) => {
  const cases = [
    ["is down", null],
    ["answers 5xx", { status: 500 }],
    ["is slow", { stall: true, body: "never ends" }],
    ["hangs up", { cut: true }],
    ["answers with too much", { body: "x".repeat(300_000) }],
  ] as const;
  for (const [what, reply] of cases) {
    await t.step(what, async () => {
      await using authorizer = await Origin.start({ answer: () => reply ?? {} });
      const { address } = authorizer;
      if (reply === null) await authorizer[Symbol.asyncDispose]();
      const config = { http: ASK_HTTP, timeoutMs: 300 };
      {
        await using guarded = await Guarded.start({
          authorizer: address,
          config: { ...config, statusOnError: 503 },
        });
        const answer = await http(guarded.url);
        assert.equal(answer.status, 503);
        assert.equal(answer.headers["denim-fault"], "ext_authz.unavailable");
        assert.equal(guarded.app.requests.length, 0);
        assert.equal(guarded.count("error"), 1);
        const line = guarded.logs.find(({ msg }) => msg === "ext_authz.no_answer");
        assert.equal(line?.["provider"], "opa");
      }
      await using guarded = await Guarded.start({
        authorizer: address,
        config: { ...config, failOpen: true },
      });
      assert.equal((await http(guarded.url)).body, 'the app got ""');
      assert.equal(guarded.count("failed_open"), 1);
    });
  }
});

Deno.test("An authorizer sees the body up to its limit, and the app gets all of it", async (t) => {
  await using authorizer = await Origin.start();
  const ask = async (body: string, allowPartial: boolean) => {
    authorizer.requests.length = 0;
    await using guarded = await Guarded.start({
      authorizer: authorizer.address,
      config: { http: ASK_HTTP, body: { ...BODY, allowPartial } },
    });
    const answer = await http(guarded.url, { method: "POST", body });
    const shown = authorizer.requests[0];
    return { answer, shown: shown?.body, partial: shown?.headers["denim-partial-body"] };
  };
  await t.step("a short one", async () => {
    const { answer, shown, partial } = await ask("short", false);
    assert.deepEqual([answer.body, shown, partial], ['the app got "short"', "short", "false"]);
  });
  await t.step("one as long as the limit", async () => {
    const { answer, shown } = await ask("0123456789", false);
    assert.deepEqual([answer.body, shown], ['the app got "0123456789"', "0123456789"]);
  });
  await t.step("a longer one is refused", async () => {
    const { answer, shown } = await ask("0123456789x", false);
    assert.deepEqual([answer.status, shown], [413, undefined]);
    assert.equal(answer.headers["denim-fault"], "ext_authz.body_too_large");
  });
  await t.step("or shown in part", async () => {
    const long = "0123456789".repeat(50_000);
    const { answer, shown, partial } = await ask(long, true);
    assert.equal(answer.body, `the app got "${long}"`);
    assert.deepEqual([shown, partial], ["0123456789", "true"]);
  });
  await t.step("none", async () => {
    const { answer, shown } = await ask("", false);
    assert.deepEqual([answer.body, shown], ['the app got ""', ""]);
  });
});

Deno.test("A CUSTOM policy has a provider in the mesh asked, with mTLS, and the provider not itself", async () => {
  const asked: string[] = [];
  await using mesh = await startMesh({
    services: [
      { name: "web" },
      { name: "catalog", app: (request) => new Response(`for ${request.headers.get("x-user")}`) },
      {
        name: "login",
        app: ({ headers, url }) => {
          const { pathname } = new URL(url);
          asked.push(
            `${pathname} of ${headers.get("denim-source-principal")} by ${
              headers.get("x-denim-peer")
            }`,
          );
          return headers.get("cookie") === "user=alice"
            ? new Response(null, { headers: { "x-user": "alice" } })
            : new Response("log in", { status: 401 });
        },
      },
    ],
    gateway: false,
    resources: [
      {
        apiVersion: "denim.dev/v1",
        kind: "MeshConfig",
        metadata: { name: "default" },
        spec: {
          extensionProviders: [{
            name: "login",
            envoyExtAuthzHttp: {
              service: "login.default.svc.cluster.local",
              port: 80,
              includeRequestHeadersInCheck: ["cookie"],
              headersToUpstreamOnAllow: ["x-user"],
            },
          }],
        },
      },
      {
        apiVersion: "denim.dev/v1",
        kind: "AuthorizationPolicy",
        metadata: { name: "everything", namespace: "denim-system" },
        spec: {
          action: "CUSTOM",
          provider: { name: "login" },
          rules: [{ to: [{ operation: { notPaths: ["/open"] } }] }],
        },
      },
    ],
  });
  const get = (path: string, cookie: string) =>
    until(async () => {
      const answer = await http(`${mesh.outbound("web")}${path}`, {
        headers: { host: "catalog", cookie, "x-user": "mallory" },
      });
      const starting = answer.status === 503 ||
        answer.headers["denim-fault"] === "ext_authz.unavailable";
      return starting ? null : answer;
    }, 10_000);
  const yes = await get("/a", "user=alice");
  assert.deepEqual([yes.status, yes.body], [200, "for alice"]);
  const no = await get("/b", "user=mallory");
  assert.deepEqual([no.status, no.body], [401, "log in"]);
  assert.equal((await get("/open", "")).body, "for mallory", "no policy matches");
  const id = "spiffe://[a-z0-9.-]+/ns/default/sa";
  assert.match(asked.at(-1)!, new RegExp(`^/b of ${id}/web by ${id}/catalog$`));
  const before = asked.length;
  await http(mesh.outbound("web"), { headers: { host: "login" } });
  assert.equal(asked.length, before + 1, "the call itself, and no question about it");
});

/** A field value, whose characters are bytes, as text. */
function utf8Of(latin1: string): string {
  return new TextDecoder().decode(Uint8Array.from(latin1, (char) => char.charCodeAt(0)));
}

/** The Go authorizer's address, and its end. */
async function startGo(): Promise<{ address: string } & AsyncDisposable> {
  const folder = new URL("./ext_authz/", import.meta.url).pathname;
  const out = await Deno.makeTempFile({ prefix: "denim-ext-authz-" });
  const built = await new Deno.Command("go", {
    args: ["build", "-o", out, "."],
    cwd: folder,
  }).output();
  assert.ok(built.success, new TextDecoder().decode(built.stderr));
  const child = new Deno.Command(out, { stdout: "piped" }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) text += (await reader.read()).value ?? "\n";
  return {
    address: text.trim(),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
      await Deno.remove(out);
    },
  };
}

/** Whether the Go authorizer can be built here. */
async function hasGo(): Promise<boolean> {
  if (!await found("go", "version")) return false;
  const { success } = await new Deno.Command("go", {
    args: ["mod", "download"],
    cwd: new URL("./ext_authz/", import.meta.url).pathname,
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

Deno.test("A gRPC authorizer by Envoy's own protobufs is told of the request and answers for it", async (t) => {
  if (!await hasGo()) return void console.log("skipped: there is no Go, or no way to its modules");
  await using authorizer = await startGo();
  await using guarded = await Guarded.start({
    authorizer: authorizer.address,
    config: { timeoutMs: 500, body: { ...BODY, maxBytes: 1000 } },
  });
  const ask = (user: string, more: Parameters<typeof http>[1] = {}) =>
    http(`${guarded.url}/orders?id=7`, {
      ...more,
      headers: { host: "shop.test", "x-user": user, ...more.headers },
    });

  await t.step("yes, with changes", async () => {
    const answer = await ask("alice", {
      method: "POST",
      body: "grün",
      headers: { "x-secret": "s", "x-tags": "one", "x-auth-user": "mallory" },
    });
    assert.equal(answer.headers["x-checked"], "yes");
    const { headers, body: got } = guarded.app.requests.at(-1)!;
    assert.equal(got, "gr\xc3\xbcn", "the app reads bytes");
    assert.equal(headers["x-auth-user"], "alice");
    assert.equal(headers["x-tags"], "one, two");
    assert.equal(headers["x-secret"], undefined);
    assert.equal(headers["x-denim-peer"], undefined);
    assert.equal(headers["host"], "shop.test");
    const { attributes } = JSON.parse(utf8Of(headers["x-seen"]!));
    assert.equal(attributes.source.address.socketAddress.address, "127.0.0.1");
    assert.ok(attributes.source.address.socketAddress.portValue > 0);
    const { address, ...destination } = attributes.destination;
    const listener = new URL(guarded.url);
    assert.deepEqual(address.socketAddress, {
      address: listener.hostname,
      portValue: Number(listener.port),
    });
    assert.deepEqual(destination, {
      principal: "spiffe://mesh.test/ns/default/sa/web",
      service: "default/web",
    });
    const { method, path, host, scheme, protocol, size, body, headers: seen } =
      attributes.request.http;
    assert.deepEqual(
      { method, path, host, scheme, protocol, size, body },
      {
        method: "POST",
        path: "/orders?id=7",
        host: "shop.test",
        scheme: "http",
        protocol: "HTTP/1.1",
        size: "5",
        body: "grün",
      },
    );
    assert.equal(seen["x-user"], "alice");
    assert.equal(seen[":path"], "/orders?id=7");
    assert.ok(Math.abs(Date.parse(attributes.request.time) - Date.now()) < 60_000);
  });
  await t.step("no, with an answer for the client", async () => {
    const answer = await ask("mallory");
    assert.deepEqual([answer.status, answer.body], [401, "who are you?"]);
    assert.equal(answer.headers["www-authenticate"], 'Basic realm="shop"');
  });
  await t.step("no, and nothing more", async () => {
    assert.equal((await ask("bare")).status, 403);
  });
  for (const user of ["broken", "slow", "smuggler"]) {
    await t.step(`no answer to go by: ${user}`, async () => {
      const answer = await ask(user);
      assert.equal(answer.status, 403);
      assert.equal(answer.headers["denim-fault"], "ext_authz.unavailable");
    });
  }
  assert.equal(guarded.app.requests.length, 1);
});

Deno.test("A gRPC authorizer that is gone lets pass or refuses, as it is told", async () => {
  await using gone = await Origin.start();
  const { address } = gone;
  await gone[Symbol.asyncDispose]();
  for (const [failOpen, status] of [[false, 403], [true, 200]] as const) {
    await using guarded = await Guarded.start({
      authorizer: address,
      config: { failOpen, timeoutMs: 400 },
    });
    assert.equal((await http(guarded.url)).status, status);
  }
});
