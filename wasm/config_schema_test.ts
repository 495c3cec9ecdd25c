import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { buildTypeScript } from "./build/typescript.ts";
import { checkConfig, configSchemaOf, withConfigSchema } from "./config_schema.ts";
import { inspect } from "./inspect.ts";
import { choice, flag, list, map, number, readConfig, schemaOf, text } from "./sdk/config.ts";

const SHAPE = {
  name: text(),
  count: number(3, { min: 1 }),
  part: number(0.5, { min: 0, max: 1 }),
  on: flag(),
  mode: choice(["fast", "safe"], "safe"),
  names: list(text(), []),
  weights: map(number(0, { max: 1 }), {}),
};

const CASES: readonly (readonly [unknown, string | null])[] = [
  [{ name: "x" }, null],
  [{ name: "x", count: 1, on: true, mode: "fast", names: ["a"], weights: { b: 1 } }, null],
  [{}, ".name is missing, wanted text"],
  [{ name: 1 }, ".name is 1, wanted text"],
  [{ name: "x", count: 0 }, ".count is 0, wanted a number of at least 1"],
  [{ name: "x", part: 2 }, ".part is 2, wanted a number from 0 to 1"],
  [{ name: "x", on: "yes" }, '.on is "yes", wanted true or false'],
  [{ name: "x", mode: "slow" }, '.mode is "slow", wanted one of "fast", "safe"'],
  [{ name: "x", names: "a" }, '.names is "a", wanted a list of text'],
  [{ name: "x", names: ["a", null] }, ".names[1] is null, wanted text"],
  [{ name: "x", weights: { b: 2 } }, ".weights.b is 2, wanted a number of at most 1"],
  [
    { name: "x", nmae: "y" },
    ".nmae is not known; known are name, count, part, on, mode, names, weights",
  ],
  [[], " is [], wanted an object"],
  ["text", ' is "text", wanted an object'],
];

Deno.test("a configuration is refused field by field, as the filter itself would refuse it", () => {
  const schema = schemaOf(SHAPE);
  for (const [config, problem] of CASES) {
    const found = checkConfig(schema, config).map(({ path, message }) => `${path} ${message}`);
    assert.deepEqual(found, problem === null ? [] : [problem]);
    const read = () => readConfig(SHAPE, JSON.stringify(config));
    if (problem === null) read();
    else assert.throws(read, JSON.stringify(config));
  }
  assert.equal(checkConfig(schema, { count: 0, on: 1 }).length, 3, "all at once");
});

Deno.test("a schema of strange shape refuses nothing and breaks nothing", () => {
  const deep: Record<string, unknown> = {};
  let at = deep;
  for (let i = 0; i < 100; i++) at = at.items = {} as Record<string, unknown>;
  let value: unknown = [];
  for (let i = 0; i < 100; i++) value = [value];
  for (const schema of [deep, { properties: 3, required: "x", items: 7 }, { enum: 5 }]) {
    assert.deepEqual(checkConfig(schema as object, value), []);
    assert.deepEqual(checkConfig(schema as object, { a: 1 }), []);
  }
});

Deno.test("a built filter carries its schema, and one that is damaged carries none", async () => {
  const out = await Deno.makeTempDir({ prefix: "denim-schema-" });
  try {
    const entry = fileURLToPath(new URL("testing/probe_filter.ts", import.meta.url));
    const { configSchema } = inspect(await buildTypeScript(entry, out));
    assert.deepEqual(configSchema?.properties?.size, {
      type: "number",
      minimum: 0,
      maximum: 10,
      default: 1,
    });
    assert.deepEqual(configSchema?.required, []);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
  const plain = Uint8Array.of(0, 0x61, 0x73, 0x6d, 13, 0, 1, 0);
  assert.equal(configSchemaOf(plain), null);
  const schema = schemaOf(SHAPE);
  const carrying = withConfigSchema(plain, schema);
  assert.deepEqual(configSchemaOf(carrying), schema);
  carrying[carrying.length - 1] = 0;
  assert.equal(configSchemaOf(carrying), null);
});
