/**
 * Nothing that a client writes makes it somebody else: fields for identities, addresses and ports, as a member
 * of the mesh writes them to a sidecar, and as a stranger writes them to a gateway.
 */
import assert from "node:assert/strict";
import { TestDomain } from "../support/ca.ts";
import { meshRoute, startMesh } from "../support/mesh.ts";
import { Attacker } from "./attacker.ts";
import { shownBy } from "./bad_svids.ts";
import { SECRET, Sidecar } from "./sidecar.ts";

const domain = new TestDomain("mesh.test");
const WEB = domain.id("web"), ADMIN = domain.id("admin");

/** Lines of a request by workload `web`, who would like to be `admin`. The app is told `x-denim-peer`. */
const DISGUISES: readonly [attack: string, anchor: string, lines: string[]][] = [
  ["the field itself", "Envoy's XFCC sanitising", [`x-denim-peer: ${ADMIN}`]],
  ["in capitals", "names have no case", [`X-DENIM-PEER: ${ADMIN}`]],
  ["with underscores", "CGI names, Envoy REJECT_REQUEST", [`x_denim_peer: ${ADMIN}`]],
  ["twice", "CVE-2026-26308: which of several is looked at", [
    `x-denim-peer: ${WEB}`,
    `x-denim-peer: ${ADMIN}`,
  ]],
  ["under the name others use", "GHSA-w5w5-487h-qv8q", [
    `x-forwarded-client-cert: By=x;URI=${ADMIN}`,
  ]],
  ["after spaces that end the line early", "RFC 9112 5.1", [
    `x-y: z`,
    `x-denim-peer:  \t ${ADMIN}`,
  ]],
];

/** The same, in forms that are no HTTP or that nobody means well: 400 and nothing for the app. */
const MALFORMED: readonly [attack: string, anchor: string, lines: string[]][] = [
  ["named hop by hop, so that ours would go", "CVE-2022-31813", [
    "connection: close, x-denim-peer",
  ]],
  ["sent and named hop by hop", "CVE-2022-31813", [
    `x-denim-peer: ${ADMIN}`,
    "connection: x-denim-peer, close",
  ]],
  ["a space before the colon", "CVE-2019-16869", [`x-denim-peer : ${ADMIN}`]],
  ["a folded line", "RFC 9112 5.2", ["x-y: z", ` x-denim-peer: ${ADMIN}`]],
  ["a bare line feed", "CVE-2025-55315", [`x-y: z\nx-denim-peer: ${ADMIN}`]],
  ["a bare carriage return", "Garden of HTTP", [`x-y: z\rx-denim-peer: ${ADMIN}`]],
  ["NUL in a value", "CVE-2025-66220", [`x-y: z\0`]],
  ["a NUL in a name", "RFC 9110 5.1", [`x-denim-peer\0: ${ADMIN}`]],
];

const request = (lines: readonly string[]): string => {
  const close = lines.some((line) => line.startsWith("connection:")) ? [] : ["connection: close"];
  return ["GET /secret HTTP/1.1", "host: victim", ...lines, ...close, "", ""].join("\r\n");
};

Deno.test("A member of the mesh is who its certificate says, whatever it writes", async (t) => {
  await using sidecar = await Sidecar.start(domain);
  await using attacker = Attacker.start();
  const knock = { port: sidecar.port(), ...shownBy(domain.issue("web")) };
  for (const [attack, anchor, lines] of DISGUISES) {
    await t.step(`still itself: ${attack} (${anchor})`, async () => {
      const { data } = await attacker.attack({ ...knock, send: request(lines) });
      assert.match(data, /^HTTP\/1\.1 200 /);
      assert.ok(data.endsWith(`${SECRET} for ${WEB}`), data);
    });
  }
  const served = sidecar.requests;
  for (const [attack, anchor, lines] of MALFORMED) {
    await t.step(`refused: ${attack} (${anchor})`, async () => {
      const { data } = await attacker.attack({ ...knock, send: request(lines) });
      assert.match(data, /^HTTP\/1\.1 400 /);
    });
  }
  await t.step("refused: a trailer that would name somebody", async () => {
    const send = [
      ...["POST /secret HTTP/1.1", "host: victim", "connection: close"],
      ...["transfer-encoding: chunked", "trailer: x-denim-peer", "", "1", "x", "0"],
      ...[`x-denim-peer: ${ADMIN}`, "", ""],
    ].join("\r\n");
    const { data } = await attacker.attack({ ...knock, send });
    assert.ok(data === "" || data.includes(" 400 ") || data.endsWith(`for ${WEB}`), data);
    assert.ok(!data.includes(ADMIN));
  });
  assert.ok(sidecar.requests <= served + 1);
});

/** What a stranger at the edge writes, and the app behind may not be told. */
const FORGED: readonly [name: string, value: string, anchor: string][] = [
  ["x-denim-peer", "spiffe://mesh.local/ns/default/sa/admin", "XFCC"],
  ["x_denim_peer", "spiffe://mesh.local/ns/default/sa/admin", "aliases by underscore"],
  ["x-denim-anything", "forged", "CVE-2024-45806: control fields from outside"],
  ["x-forwarded-client-cert", "URI=forged", "XFCC"],
  ["x-forwarded-for", "10.9.9.9", "addresses that are believed"],
  ["x_forwarded_for", "10.9.9.9", "aliases by underscore"],
  ["x-real-ip", "10.9.9.9", "addresses that are believed"],
  ["forwarded", "for=10.9.9.9;host=forged", "RFC 7239 8.1"],
  ["x-forwarded-host", "forged.example", "links by a host nobody asked for"],
  ["x-forwarded-proto", "forged", "redirects by a scheme nobody used"],
  ["x-forwarded-prefix", "/forged", "unknown fields of the family"],
  ["x-request-id", "forged-id", "log injection"],
];

Deno.test("A stranger at the edge says nothing of itself that an app is told", async (t) => {
  const seen = (request: Request): Response =>
    Response.json({
      headers: Object.fromEntries(request.headers),
      path: new URL(request.url).pathname,
    });
  await using mesh = await startMesh({
    services: [{ name: "web", app: seen }, { name: "db", app: () => new Response("the database") }],
    resources: [meshRoute("web", [{ backendRefs: [{ name: "web", port: 80 }] }])],
  });
  const send = async (lines: readonly string[]): Promise<string> => {
    const conn = await Deno.connect({ port: Number(new URL(mesh.gatewayUrl).port) });
    await conn.write(new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n"));
    return await new Response(conn.readable).text();
  };
  const ask = (...lines: string[]): Promise<string> =>
    send(["GET / HTTP/1.1", "host: shop.example", "connection: close", ...lines]);
  for (const [name, value, anchor] of FORGED) {
    await t.step(`${name} (${anchor})`, async () => {
      const answer = await ask(`${name}: ${value}`, `${name.toUpperCase()}: ${value}`);
      assert.match(answer, /^HTTP\/1\.1 200 /);
      assert.ok(!answer.includes(value), answer);
      assert.ok(answer.includes('"x-denim-peer":"spiffe://mesh.local/ns/default/sa/edge"'), answer);
    });
  }
  await t.step("x-denim-port does not lead past the route to another Service", async () => {
    const answer = await ask("x-denim-port: default/db:80");
    assert.ok(answer.includes('"path":"/"') && !answer.includes("the database"), answer);
  });
  await t.step("an absolute target for another host is not its way either", async () => {
    const target = [
      "GET http://db.default.mesh/ HTTP/1.1",
      "host: shop.example",
      "connection: close",
    ];
    const answer = await send(target);
    assert.ok(!answer.includes("the database"), answer);
    assert.match(answer, /^HTTP\/1\.1 400 /);
  });
  await t.step("nor is CONNECT", async () => {
    const answer = await send(["CONNECT db:80 HTTP/1.1", "host: db:80", "connection: close"]);
    assert.match(answer, /^HTTP\/1\.1 405 /);
  });
});
