/** The README's "first filter in five minutes", typed as it stands there. */
import assert from "node:assert/strict";
import { denim } from "../support/denim.ts";
import { http } from "../support/http.ts";
import { meshRoute, startMesh, until } from "../support/mesh.ts";

const SLOW_BUILD_MS = 20_000;

Deno.test("A new filter is written, pushed, installed and replaced with the README's commands", async () => {
  await using mesh = await startMesh({
    services: [{ name: "web" }],
    resources: [meshRoute("web", [{ backendRefs: [{ name: "web", port: 80 }] }])],
  });
  const cwd = await Deno.makeTempDir({ prefix: "denim-first-filter-" });
  const env = { DENIM_CONTROL: mesh.client.url, DENIM_TOKEN: mesh.client.token };
  const ok = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await denim(args, { cwd, env });
    assert.equal(code, 0, `denim ${args.join(" ")}: ${err}`);
    return out;
  };
  try {
    await ok("filter", "new", "my-filter");
    await ok("filter", "push", "my-filter");
    await ok("filter", "install", "local/my-filter", "--to", "Service/web");
    await until(async () => {
      const answer = await http(`${mesh.gatewayUrl}/`);
      return answer.status === 200 && answer.headers["x-my-filter"] === "hello" ? answer : null;
    }, SLOW_BUILD_MS);
    assert.match(await ok("get", "filters"), /local\/my-filter@0\.1\.0/);

    // The marketplace page has it, with what was read from the module.
    const page = await http(`${mesh.client.url}/filters/local/my-filter`);
    assert.equal(page.status, 200);
    assert.match(page.body, /headers-write/);

    const source = `${cwd}/my-filter/filter.ts`;
    await Deno.writeTextFile(
      source,
      (await Deno.readTextFile(source)).replaceAll("hello", "again"),
    );
    const manifest = `${cwd}/my-filter/denim.filter.yaml`;
    await Deno.writeTextFile(
      manifest,
      (await Deno.readTextFile(manifest)).replace("0.1.0", "0.2.0"),
    );
    await ok("filter", "push", "my-filter");
    await ok("filter", "install", "local/my-filter", "--to", "Service/web");
    await until(async () => {
      const answer = await http(`${mesh.gatewayUrl}/`);
      assert.equal(answer.status, 200);
      return answer.headers["x-my-filter"] === "again" ? answer : null;
    }, SLOW_BUILD_MS);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
