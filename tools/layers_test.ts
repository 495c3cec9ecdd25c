/** The layer arrows: each rule has an import it refuses and one it lets pass. */
import assert from "node:assert/strict";
import plugin, { judge } from "./layers.ts";

const values = (from: string, specifier: string): string | null =>
  judge({ from, specifier, typeOnly: false });
const types = (from: string, specifier: string): string | null =>
  judge({ from, specifier, typeOnly: true });

Deno.test("layers lets core import only core", () => {
  assert.equal(values("core/log.ts", "./clock.ts"), null);
  assert.match(values("core/log.ts", "../proxy/flow.ts") ?? "", /core\/ may not import proxy\//);
  assert.match(values("core/log.ts", "zod") ?? "", /package "zod"/);
});

Deno.test("layers keeps values of the schema at the proxy's edges when types may go anywhere", () => {
  assert.equal(types("proxy/snapshot.ts", "../control/schema/snapshot.ts"), null);
  assert.equal(values("proxy/config/subscribe.ts", "../../control/schema/protocol.ts"), null);
  assert.match(values("proxy/flow.ts", "../control/schema/protocol.ts") ?? "", /proxy\/config/);
  assert.match(types("proxy/flow.ts", "../control/api/app.ts") ?? "", /may not import control/);
});

Deno.test("layers keeps the parts of the proxy apart until main.ts joins them", () => {
  assert.match(values("proxy/h1/parser.ts", "../tls/mod.ts") ?? "", /may not import proxy\/tls/);
  assert.equal(values("proxy/main.ts", "./tls/mod.ts"), null);
  assert.equal(types("proxy/upstream/pool.ts", "../h1/mod.ts"), null);
});

Deno.test("layers lets control verify certificates with the proxy's code and use nothing else of it", () => {
  assert.equal(values("control/push/server.ts", "../../proxy/tls/mod.ts"), null);
  assert.match(
    values("control/push/server.ts", "../../proxy/flow.ts") ?? "",
    /may not import proxy/,
  );
});

Deno.test("layers keeps zod out of filters when it is not their config file", () => {
  assert.equal(values("filters/retry/config.ts", "zod"), null);
  assert.match(values("filters/retry/retry.ts", "zod") ?? "", /config\.ts only/);
});

Deno.test("layers lets nobody import tests or cli", () => {
  assert.match(values("control/main.ts", "../tests/support/ca.ts") ?? "", /Nothing may import/);
  assert.match(values("proxy/main.ts", "../cli/main.ts") ?? "", /may not import cli/);
  assert.equal(values("tests/integration/run_test.ts", "../../cli/main.ts"), null);
  assert.equal(values("proxy/h1/parser_test.ts", "../../tests/support/ca.ts"), null);
});

Deno.test("layers reports through the linter when a file breaks a rule", () => {
  const root = new URL("../", import.meta.url).pathname;
  const found = Deno.lint.runPlugin(
    plugin,
    `${root}core/x.ts`,
    `import { a } from "../proxy/a.ts";\nexport { b } from "../cli/b.ts";\nimport "./c.ts";
export * from "../control/d.ts";\nawait import("../wasm/e.ts");\nawait import(computed);`,
  );
  assert.deepEqual(found.map((one) => one.id), Array(4).fill("denim/layers"));
});
