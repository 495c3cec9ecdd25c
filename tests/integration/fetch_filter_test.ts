/** A TypeScript filter that asks another Service with fetch, in a proxy of its own process. */
import assert from "node:assert/strict";
import { buildTypeScript } from "../../wasm/build/typescript.ts";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";

const FILTER = `
import { defineFilter } from "denim/filter";
export default defineFilter({
  name: "guard",
  version: "1.0.0",
  async onRequest(request, ctx) {
    const [user, flags] = await Promise.all([
      fetch("http://auth/who?path=" + encodeURIComponent(request.path), { signal: AbortSignal.timeout(2000) }),
      fetch("http://auth/flags"),
    ]);
    if (user.status !== 200) return ctx.respond(403, "refused: " + await user.text());
    request.headers.set("x-user", (await user.json()).name + " " + await flags.text());
  },
});
`;

Deno.test("A filter asks with fetch about every request", async (t) => {
  const dir = await Deno.makeTempDir({ prefix: "denim-fetch-" });
  const held: PromiseWithResolvers<void>[] = [];
  let cancelled = 0, aborts = 0;
  const auth = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const url = new URL(request.url);
    if (url.pathname === "/flags") return new Response("flags");
    const path = url.searchParams.get("path");
    if (path === "/slow") {
      request.signal.addEventListener("abort", () => {
        aborts++;
        for (const one of held) one.resolve();
      });
      const one = Promise.withResolvers<void>();
      held.push(one);
      await one.promise;
    }
    if (path === "/no") return new Response("nobody", { status: 401 });
    return Response.json({ name: "ann" });
  });
  const app = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => new Response(`${request.headers.get("x-user")} ${await request.text()}`),
  );
  try {
    await Deno.writeTextFile(`${dir}/filter.ts`, FILTER);
    const component = await buildTypeScript(`${dir}/filter.ts`, dir);
    await Deno.writeFile(`${dir}/guard.wasm`, component);
    await using proxy = await StandaloneProxy.start([
      gateway(),
      service("app", `127.0.0.1:${app.addr.port}`),
      service("auth", `127.0.0.1:${auth.addr.port}`),
      route("app", { backendRefs: [{ name: "app", port: 80 }] }),
      {
        apiVersion: "denim.dev/v1",
        kind: "FilterBinding",
        metadata: { name: "guard" },
        spec: {
          targetRefs: [{ kind: "Gateway", name: "edge" }],
          module: { file: `${dir}/guard.wasm` },
          capabilities: ["headers-read", "headers-write", "http-call", "local-reply"],
          upstreams: [{ name: "auth", service: "auth", port: 80 }],
        },
      },
    ]);
    await t.step("and lets it pass, body and all", async () => {
      const response = await fetch(`${proxy.url()}/x`, { method: "POST", body: "hello" });
      assert.deepEqual([response.status, await response.text()], [200, "ann flags hello"]);
    });
    await t.step("or answers itself", async () => {
      const response = await fetch(`${proxy.url()}/no`);
      assert.deepEqual([response.status, await response.text()], [403, "refused: nobody"]);
    });
    await t.step("while others wait for their answers, and many at the same time", async () => {
      const slow = fetch(`${proxy.url()}/slow`);
      const bodies = await Promise.all(
        Array.from({ length: 60 }, async () => await (await fetch(`${proxy.url()}/y`)).text()),
      );
      assert.deepEqual(new Set(bodies), new Set(["ann flags "]));
      for (const one of held.splice(0)) one.resolve();
      assert.equal(await (await slow).text(), "ann flags ");
    });
    await t.step("and stops asking for a client that has gone", async () => {
      aborts = 0; // a finished request counts as one too
      const gone = new AbortController();
      const slow = fetch(`${proxy.url()}/slow`, { signal: gone.signal }).catch(() => cancelled++);
      while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      gone.abort();
      await slow;
      await held[0]!.promise;
      assert.deepEqual([cancelled, aborts], [1, 1]);
    });
  } finally {
    await Promise.all([auth.shutdown(), app.shutdown()]);
    await Deno.remove(dir, { recursive: true });
  }
});
