/** Secrets: the key leaves the document before anything else sees it. */
import { deepStrictEqual as same, match, ok, strictEqual as equal } from "node:assert/strict";
import { stringify } from "yaml";
import { keyName } from "../../proxy/tls/mod.ts";
import { TestDomain } from "../../tests/support/ca.ts";
import { parseDocuments } from "./parse.ts";
import { chainOf, keyOf, type Secret } from "./secret.ts";

const { chainPem, keyPem } = new TestDomain().issue("x", { uris: [], dnsNames: ["a.test"] });
const HIDDEN = [keyPem.split("\n")[1]!, btoa(keyPem).slice(40, 80)];

function secret(over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "shop" },
    type: "kubernetes.io/tls",
    data: { "tls.crt": btoa(chainPem), "tls.key": btoa(keyPem) },
    ...over,
  };
}

/** The one problem of a document, as YAML and as a value; none of it shows the key. */
function problem(document: unknown): string {
  const texts = [document as unknown[], stringify(document)].map((input) => {
    const { errors } = parseDocuments(typeof input === "string" ? input : [input]);
    equal(errors.length, 1, JSON.stringify(errors));
    return `${errors[0]!.resource} ${errors[0]!.path} ${errors[0]!.message}`;
  });
  for (const one of HIDDEN) ok(!texts.join().includes(one), "the key is in the message");
  equal(texts[0], texts[1]);
  return texts[0]!;
}

Deno.test("A Secret is parsed into its certificate and the name of its key, and the key beside it", () => {
  const { resources, keys, errors } = parseDocuments([secret()]);
  same(errors, []);
  const one = resources[0] as Secret;
  equal(keyOf(one), keyName(keyPem));
  equal(chainOf(one), chainPem);
  same([...keys], [[keyName(keyPem), keyPem]]);
  for (const hidden of HIDDEN) ok(!JSON.stringify(resources).includes(hidden));
});

Deno.test("A Secret may be plain text under stringData, which stands over data", () => {
  const plain = secret({
    data: { "tls.crt": "bm9uZQ==" },
    stringData: { "tls.crt": chainPem, "tls.key": keyPem },
  });
  same(parseDocuments([plain]).resources, parseDocuments([secret()]).resources);
});

Deno.test("A Secret that was read out parses again, without a key", () => {
  const { resources } = parseDocuments([secret()]);
  const again = parseDocuments(resources);
  same(again.resources, resources);
  same([...again.keys], []);
});

Deno.test("The copy that kubectl makes of a Secret in an annotation is dropped", () => {
  const annotations = {
    "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(secret()),
    kept: "yes",
  };
  const { resources, errors } = parseDocuments([
    secret({ metadata: { name: "shop", annotations } }),
  ]);
  same(errors, []);
  same(resources[0]!.metadata.annotations, { kept: "yes" });
});

Deno.test("Secrets that are of no use are refused with their place", () => {
  const other = new TestDomain().issue("x", { uris: [], dnsNames: ["b.test"] });
  const data = (over: Record<string, unknown>): Record<string, unknown> =>
    secret({ data: { "tls.crt": btoa(chainPem), "tls.key": btoa(keyPem), ...over } });
  for (
    const [document, said] of [
      [secret({ type: "Opaque" }), /type is "Opaque", wanted "kubernetes\.io\/tls"/],
      [secret({ data: {} }), /data\["tls\.key"\] is missing/],
      [data({ "tls.key": 5 }), /data\["tls\.key"\] is no text/],
      [data({ "tls.key": keyPem }), /data\["tls\.key"\] cannot be read/],
      [data({ "tls.key": btoa(keyPem).slice(0, -40) }), /data\["tls\.key"\] cannot be read/],
      [data({ "tls.key": btoa(keyPem).repeat(100) }), /data\["tls\.key"\] cannot be read/],
      [data({ "tls.key": btoa(other.keyPem) }), /data\["tls\.key"\] does not belong/],
      [data({ "tls.crt": btoa("none") }), /data\["tls\.crt"\] cannot be used/],
      [data({ "tls.crt": "%" }), /data\["tls\.crt"\] cannot be used: it is not base64/],
      [data({ "tls.kez": btoa(keyPem) }), /tls\.kez/],
    ] as const
  ) match(problem(document), said);
});
