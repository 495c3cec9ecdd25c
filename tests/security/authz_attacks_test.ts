/**
 * Ways around an AuthorizationPolicy, tried at a running sidecar: whatever a request is made to look like, the
 * string that is judged is the one that is forwarded.
 */
import assert from "node:assert/strict";
import { TestDomain } from "../support/ca.ts";
import { Attacker } from "./attacker.ts";
import { shownBy } from "./bad_svids.ts";
import { SECRET, Sidecar, VICTIM } from "./sidecar.ts";

const domain = new TestDomain("mesh.test");

/** Everybody may do everything but what these forbid; only `admin` may come to /admin. */
const DENY = `${VICTIM}
apiVersion: denim.dev/v1
kind: AuthorizationPolicy
metadata: { name: deny }
spec:
  targetRefs: [{ kind: Service, name: victim }]
  action: DENY
  rules:
    - from: [{ source: { notPrincipals: ["${domain.id("admin")}"] } }]
      to: [{ operation: { paths: [/admin, "/admin/*"] } }]
    - to: [{ operation: { hosts: [secret.example] } }]
    - to: [{ operation: { methods: [DELETE] } }]
    - when: [{ key: "request.headers[x-block]", values: ["yes"] }]
    - when: [{ key: "request.headers[x-missing]", notValues: [there] }]
      to: [{ operation: { paths: [/needs] } }]
`;

const ALLOW = `${VICTIM}
apiVersion: denim.dev/v1
kind: AuthorizationPolicy
metadata: { name: allow }
spec:
  targetRefs: [{ kind: Service, name: victim }]
  action: ALLOW
  rules:
    - from: [{ source: { principals: ["${domain.id("a.b")}"] } }]
    - from: [{ source: { requestPrincipals: ["*"] } }]
`;

const get = (target: string, ...lines: string[]): string[] => [`GET ${target} HTTP/1.1`, ...lines];
const OWN = "host: victim";

/** Requests that would get what is forbidden, and what comes instead. */
const ATTACKS: readonly [attack: string, anchor: string, lines: string[], status: 400 | 403][] = [
  ["the path itself", "", get("/admin", OWN), 403],
  ["below it", "", get("/admin/x?y", OWN), 403],
  ["more slashes", "CVE-2021-31920", get("//admin", OWN), 403],
  ["more slashes inside", "CVE-2021-31920", get("/admin//x", OWN), 403],
  ["a dot segment", "CVE-2019-9901", get("/./admin", OWN), 403],
  ["up and down again", "CVE-2019-9901", get("/x/../admin", OWN), 403],
  ["up beyond the root", "CVE-2019-9901", get("/../../admin", OWN), 403],
  ["escaped dots", "CVE-2019-9901", get("/x/%2e%2E/admin", OWN), 400],
  ["an escaped letter", "CVE-2021-29492", get("/%61dmin", OWN), 403],
  ["an escaped slash", "CVE-2021-29492", get("/admin%2fx", OWN), 400],
  ["escaped slashes and dots", "CVE-2021-29492", get("/x%2f..%2fadmin", OWN), 400],
  ["backslashes", "CVE-2021-29492", get("/x\\..\\admin", OWN), 400],
  ["an escaped backslash", "CVE-2021-29492", get("/x%5c..%5cadmin", OWN), 400],
  ["parameters that some servers cut off", "two readings", get("/admin;x=1", OWN), 403],
  ["parameters inside", "two readings", get("/admin;x=1/y", OWN), 403],
  ["NUL at the end", "CVE-2025-66220", get("/admin%00", OWN), 400],
  ["a fragment", "CVE-2021-39156", get("/admin#x", OWN), 400],
  ["a fragment before it", "CVE-2021-39156", get("/x#/../admin", OWN), 400],
  ["absolute form", "RFC 9112 3.2.2", get("http://victim/admin", OWN), 400],
  ["absolute form for another host than Host", "RFC 9112 3.2.2", get("http://x/admin", OWN), 400],
  ["a host in other letters", "CVE-2021-39155", get("/", "host: SECRET.Example"), 403],
  ["a host with its port", "CVE-2021-39155", get("/", "host: secret.example:80"), 403],
  ["a host with a dot at the end", "CVE-2021-39155", get("/", "host: secret.example."), 403],
  ["two hosts", "RFC 9112 3.2", get("/", OWN, "host: secret.example"), 400],
  [
    "the last of several values",
    "CVE-2026-26308",
    get("/", OWN, "x-block: no", "x-block: yes"),
    403,
  ],
  [
    "the first of several values",
    "CVE-2026-26308",
    get("/", OWN, "x-block: yes", "x-block: no"),
    403,
  ],
  ["a name in other letters", "names have no case", get("/", OWN, "X-BLOCK: yes"), 403],
  ["a field left out", "deny by absence", get("/needs", OWN), 403],
  ["the method", "", ["DELETE / HTTP/1.1", OWN], 403],
  ["another method by a field", "", ["DELETE / HTTP/1.1", OWN, "x-http-method-override: GET"], 403],
];

Deno.test("There is no way around a DENY policy by spelling a request otherwise", async (t) => {
  await using sidecar = await Sidecar.start(domain, { resources: DENY });
  await using attacker = Attacker.start();
  const port = sidecar.port();
  const ask = async (lines: readonly string[], as = "web"): Promise<string> => {
    const send = [...lines, "connection: close", "", ""].join("\r\n");
    return (await attacker.attack({ port, send, ...shownBy(domain.issue(as)) })).data;
  };
  for (const [attack, anchor, lines, status] of ATTACKS) {
    await t.step(`${status}: ${attack}${anchor === "" ? "" : ` (${anchor})`}`, async () => {
      const data = await ask(lines);
      assert.ok(data.startsWith(`HTTP/1.1 ${status} `), data);
      assert.ok(!data.includes(SECRET));
    });
  }
  assert.equal(sidecar.requests, 0);
  await t.step("who may, may: by any spelling", async () => {
    for (const target of ["/admin", "//admin", "/x/../admin"]) {
      assert.ok((await ask(get(target, OWN), "admin")).includes(SECRET));
    }
    assert.ok((await ask(get("/other", OWN))).includes(SECRET));
    assert.ok((await ask(get("/needs", OWN, "x-missing: there"))).includes(SECRET));
  });
});

Deno.test("An ALLOW policy is met by the very identity, and by no token that was not verified", async (t) => {
  await using sidecar = await Sidecar.start(domain, { resources: ALLOW });
  await using attacker = Attacker.start();
  const port = sidecar.port();
  const ask = async (as: string, ...lines: string[]): Promise<string> => {
    const send = [...get("/", OWN), ...lines, "connection: close", "", ""].join("\r\n");
    return (await attacker.attack({ port, send, ...shownBy(domain.issue(as)) })).data;
  };
  await t.step("let in: the identity", async () => {
    assert.ok((await ask("a.b")).includes(SECRET));
  });
  for (const as of ["axb", "a.bc", "xa.b", "a", "a.b/x", "a.b.c"]) {
    await t.step(`403: ${as} (CVE-2026-39350: a dot is a dot)`, async () => {
      assert.match(await ask(as), /^HTTP\/1\.1 403 /);
    });
  }
  await t.step("403: a token nobody has verified", async () => {
    const encoded = (value: object): string =>
      btoa(JSON.stringify(value)).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
    const token = `${encoded({ alg: "none" })}.${encoded({ iss: "a", sub: "b" })}.`;
    assert.match(await ask("web", `authorization: Bearer ${token}`), /^HTTP\/1\.1 403 /);
  });
});
