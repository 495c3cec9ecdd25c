import { deepStrictEqual as same, match, ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { findKind, jsonSchema, KINDS } from "./kinds.ts";
import { SCHEMA_LIMITS } from "./limits.ts";
import { type DocumentError, parseDocuments } from "./parse.ts";

const SERVICE = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: catalog}
spec: {ports: [{port: 80}]}
`;

function only(input: string | unknown[]): DocumentError {
  const { errors } = parseDocuments(input);
  equal(errors.length, 1, JSON.stringify(errors));
  return errors[0]!;
}

function service(spec: Record<string, unknown>, metadata: unknown = { name: "a" }): unknown {
  return { apiVersion: "denim.dev/v1", kind: "Service", metadata, spec };
}

Deno.test("parseDocuments reads several documents and fills in the namespace", () => {
  const text = `${SERVICE}---\n# nothing here\n---${SERVICE.replace("catalog", "web")}`;
  const { resources, errors } = parseDocuments(text);
  same(errors, []);
  same(resources.map((one) => `${one.metadata.namespace}/${one.metadata.name}`), [
    "default/catalog",
    "default/web",
  ]);
});

Deno.test("parseDocuments says what an unknown field may have meant, at its path", () => {
  const error = only(SERVICE.replace("spec: {", "spec: {endpionts: [], "));
  same(error, {
    document: 0,
    resource: "Service default/catalog",
    path: "spec.endpionts",
    message: 'is not a known field; did you mean "endpoints"?',
  });
});

Deno.test("parseDocuments names the known fields when none is near", () => {
  match(only([service({ ports: [{ port: 1, x: 1 }] })]).message, /known are name, port, protocol/);
});

Deno.test("parseDocuments says path, value and wanted type", () => {
  const error = only([service({ ports: [{ port: "80" }] })]);
  equal(error.path, "spec.ports[0].port");
  equal(error.message, 'is "80", wanted a whole number');
  match(only([service({ ports: [{ port: 1 }], selector: { version: 2 } })]).message, /quote it/);
  equal(only([service({})]).message, "is missing, wanted a list");
});

Deno.test("parseDocuments says which kind was meant", () => {
  match(only(SERVICE.replace("kind: Service", "kind: service")).message, /did you mean "Service"/);
  match(
    only(SERVICE.replace("kind: Service", "kind: Pod")).message,
    /wanted one of Gateway, HTTPR/,
  );
  match(only(SERVICE.replace("denim.dev/v1", "v1")).message, /wanted "denim.dev\/v1"/);
  match(only(["x"]).message, /wanted a map with apiVersion and kind/);
});

Deno.test("parseDocuments reads a List as its items and keeps their paths", () => {
  const list = {
    apiVersion: "v1",
    kind: "List",
    items: [service({ ports: [{ port: 1 }] }), service({})],
  };
  const { resources, errors } = parseDocuments([list]);
  equal(resources.length, 1);
  equal(errors[0]!.path, "items[1].spec.ports");
});

Deno.test("parseDocuments drops status and foreign metadata so that output can be applied again", () => {
  const { resources, errors } = parseDocuments([{
    ...service({ ports: [{ port: 1 }] }, { name: "a", uid: "u", resourceVersion: "7" }) as object,
    status: { conditions: [] },
  }]);
  same(errors, []);
  same(resources[0]!.metadata, { name: "a", namespace: "default" });
  ok(!("status" in resources[0]!));
});

Deno.test("parseDocuments reads former API versions of the Gateway API as the present one", () => {
  const { resources } = parseDocuments([{
    apiVersion: "gateway.networking.k8s.io/v1beta1",
    kind: "Gateway",
    metadata: { name: "edge" },
    spec: { gatewayClassName: "denim", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
  }]);
  equal(resources[0]!.apiVersion, "gateway.networking.k8s.io/v1");
});

Deno.test("parseDocuments refuses one resource given twice", () => {
  const error = only(`${SERVICE}---${SERVICE}`);
  equal(error.document, 1);
  match(error.message, /given twice/);
});

const UNSAFE: [what: string, text: string, message: RegExp][] = [
  ["a duplicate key", "a: 1\na: 2\n", /gives the key "a" twice at line 2, column 1/],
  ["a duplicate key inside", 'a: {b: {c: 1, "c": 2}}\n', /gives the key "c" twice/],
  ["a syntax error", "a: [1\nb: 2\n", /at line/],
  ["a tag of a language", "a: !!js/function 'x'\n", /Unresolved tag/],
  ["a key that is no string", "? [1]\n: 2\n", /string/],
  ["__proto__", "spec: {__proto__: {x: 1}}\n", /not a field name/],
  ["NaN", "spec: {a: .nan}\n", /wanted a finite number/],
  ["infinity", "spec: {a: -.inf}\n", /wanted a finite number/],
  ["a circle", "a: &a [*a]\n", /levels deep|Unresolved|alias/],
  ["deep nesting", `a: ${"[".repeat(9000)}${"]".repeat(9000)}`, /deep/],
  ["a merge key", `${SERVICE}x: &x {b: 1}\n<<: *x\n`, /not a known field/],
];

for (const [what, text, message] of UNSAFE) {
  Deno.test(`parseDocuments refuses ${what} in YAML`, () => {
    const { errors } = parseDocuments(text);
    match(errors.map((error) => error.message).join("\n"), message);
  });
}

Deno.test("parseDocuments takes yes, 012 and dates as YAML 1.2 does", () => {
  const { resources } = parseDocuments(
    SERVICE.replace("{name: catalog}", "{name: catalog, annotations: {a: yes, b: 2020-01-01}}"),
  );
  same(resources[0]!.metadata.annotations, { a: "yes", b: "2020-01-01" });
});

Deno.test("parseDocuments refuses a billion laughs without expanding them", () => {
  let bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (let i = 1; i < 10; i++) {
    bomb += `a${i}: &a${i} [${Array(9).fill(`*a${i - 1}`).join(", ")}]\n`;
  }
  const before = performance.now();
  match(only(bomb).message, /holds more than 50000 values/);
  ok(performance.now() - before < 1000);
});

const SLOW: [what: string, text: string][] = [
  ["keys", Array.from({ length: 90_000 }, (_, i) => `k${i}: 1\n`).join("")],
  ["aliases", `- &a x\n${"- *a\n".repeat(150_000)}`],
  ["closing brackets", "}".repeat(1_000_000)],
  ["errors", `a: ${"&x ".repeat(100_000)}`],
  ["quotes", '"'.repeat(300_000)],
];

for (const [what, text] of SLOW) {
  Deno.test(`parseDocuments refuses many ${what} in time that grows with their number only`, () => {
    const before = process.cpuUsage();
    equal(parseDocuments(text).resources.length, 0);
    const { user } = process.cpuUsage(before);
    // With the square of it these would take minutes.
    ok(user < 8_000_000, `${user / 1000} ms`);
  });
}

Deno.test("parseDocuments refuses more aliases than the limit", () => {
  const text = (n: number) => `a: &x 1\nb: [${Array(n).fill("*x").join(", ")}]\n`;
  match(only(text(SCHEMA_LIMITS.aliases + 1)).message, /more than 100 aliases/);
  match(only(text(SCHEMA_LIMITS.aliases)).path, /kind/);
});

Deno.test("parseDocuments refuses documents and inputs over their limits", () => {
  const big = `${SERVICE}# ${"x".repeat(SCHEMA_LIMITS.documentBytes)}\n`;
  same([only(`${SERVICE}---\n${big}`)].map((e) => [e.document, e.message]), [
    [1, "is larger than 1048576 bytes"],
  ]);
  match(only("#".repeat(SCHEMA_LIMITS.inputBytes + 1)).message, /larger than 4194304 bytes/);
  match(only("---\n".repeat(SCHEMA_LIMITS.documents + 2)).message, /over 1000/);
  match(only([{ a: "x".repeat(SCHEMA_LIMITS.documentBytes) }]).message, /larger than/);
  match(only(Array(SCHEMA_LIMITS.documents + 1).fill(1)).message, /over 1000/);
});

Deno.test("parseDocuments refuses values over the node and depth limits", () => {
  match(only([{ a: Array(SCHEMA_LIMITS.nodes).fill(1) }]).message, /more than 50000 values/);
  let deep: unknown = 1;
  for (let i = 0; i <= SCHEMA_LIMITS.depth; i++) deep = { a: deep };
  match(only([deep]).message, /32 levels deep/);
});

Deno.test("parseDocuments reports at most the limit of errors", () => {
  const { errors } = parseDocuments(Array(SCHEMA_LIMITS.errors + 50).fill(1));
  equal(errors.length, SCHEMA_LIMITS.errors);
});

Deno.test("findKind takes kind, plural and aliases in any case", () => {
  for (const row of KINDS) {
    for (const noun of [row.kind, row.plural, row.kind.toUpperCase(), ...row.aliases]) {
      equal(findKind(noun), row, noun);
    }
  }
  equal(findKind("pod"), null);
});

Deno.test("no noun names two kinds", () => {
  const nouns = KINDS.flatMap((
    row,
  ) => [...new Set([row.kind.toLowerCase(), row.plural, ...row.aliases])]);
  equal(new Set(nouns).size, nouns.length);
});

Deno.test("jsonSchema gives a closed object for every kind", () => {
  for (const row of KINDS) {
    const schema = jsonSchema(row.kind);
    equal(schema.type, "object", row.kind);
    equal(schema.additionalProperties, false);
    equal(schema.title, row.kind);
  }
});
