/** The door of a sidecar in a whole mesh: its own authority's certificates open it, nobody else's do. */
import assert from "node:assert/strict";
import { stolenKeyPem, TestDomain } from "../support/ca.ts";
import { http } from "../support/http.ts";
import { startMesh, until } from "../support/mesh.ts";
import { Attacker } from "./attacker.ts";

Deno.test("A mesh serves its own and refuses callers from outside at a sidecar's inbound port", async () => {
  await using mesh = await startMesh({
    services: [
      { name: "web" },
      {
        name: "catalog",
        app: (request) => new Response(`hello ${request.headers.get("x-denim-peer")}`),
      },
    ],
    gateway: false,
  });
  await using attacker = Attacker.start();
  // The last endpoint to get healthy may reach the others a moment after the mesh says it is up.
  const answer = await until(async () => {
    const one = await http(mesh.outbound("web"), { headers: { host: "catalog" } });
    return one.status === 503 ? null : one;
  }, 5000);
  assert.match(answer.body, /^hello spiffe:\/\/[a-z0-9.-]+\/ns\/default\/sa\/web$/);

  const port = Number(mesh.inbound("catalog").split(":").at(-1));
  const send = "GET / HTTP/1.1\r\nhost: catalog\r\nconnection: close\r\n\r\n";
  const stranger = new TestDomain("mesh.local").issue("web");
  const attacks = [
    { reason: "no_certificate", shown: {} },
    { reason: "unknown_authority", shown: { cert: stranger.chainPem, key: stranger.keyPem } },
    {
      reason: "handshake",
      shown: { cert: stranger.chainPem, key: stolenKeyPem(stranger.keys) },
    },
  ];
  for (const { reason, shown } of attacks) {
    const { data } = await attacker.attack({ port, send, ...shown });
    assert.equal(data, "", reason);
    await mesh.logged(
      "catalog",
      (line) => line["msg"] === "inbound.refused" && line["reason"] === reason,
    );
  }
});
