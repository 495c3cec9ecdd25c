/** Two running sidecars whose certificates live for seconds: they renew them, and no request notices. */
import assert from "node:assert/strict";
import { TestDomain } from "../support/ca.ts";
import { SECRET, Sidecar } from "./sidecar.ts";

const domain = new TestDomain("mesh.test");
const LIFE_MS = 4000;
/** Renewals each side must have made before the traffic ends: the first certificate is long gone then. */
const RENEWALS = 4;

Deno.test("Two sidecars renew their certificates under traffic without a failed request", async () => {
  const leaf = () => ({ notBeforeMs: Date.now() - 1000, notAfterMs: Date.now() + LIFE_MS });
  await using server = await Sidecar.start(domain, { service: "catalog", leaf });
  await using client = await Sidecar.start(domain, {
    service: "web",
    leaf,
    upstreams: {
      catalog: { address: `127.0.0.1:${server.port()}`, identity: domain.id("catalog") },
    },
  });
  const renewals = (sidecar: Sidecar): number =>
    sidecar.control.heard.filter((message) => message.type === "csr").length;
  const startMs = Date.now();
  const answers = new Map<string, number>();
  while (Math.min(renewals(server), renewals(client)) < RENEWALS) {
    assert.ok(Date.now() - startMs < 30_000, "the sidecars do not renew their certificates");
    const { status, body } = await client.call("catalog");
    const answer = `${status} ${body}`;
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
  }
  assert.deepEqual([...answers.keys()], [`200 ${SECRET} for ${domain.id("web")}`]);
  assert.ok(Date.now() - startMs > LIFE_MS, "the first certificates were still good");
});
