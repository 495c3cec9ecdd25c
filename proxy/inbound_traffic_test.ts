import assert from "node:assert/strict";
import { Metrics } from "../core/metrics.ts";
import type { AdmittedPeer } from "./tls/mod.ts";
import { InboundTraffic, MAX_PLAINTEXT_CALLERS } from "./inbound_traffic.ts";

const plaintext = (remote: string) => ({ tls: false, admitted: null, alpn: "", remote });
const ADMITTED: AdmittedPeer = {
  ok: true,
  identity: "spiffe://t/ns/a/sa/b",
  serial: "1",
  notAfterMs: 0,
  chain: [],
  role: "client",
  generation: 1,
};

Deno.test("InboundTraffic counts both ways, and plaintext by address", () => {
  const clock = { ms: 1000 };
  const traffic = new InboundTraffic(new Metrics(), () => clock.ms);
  traffic.entered({ ...plaintext("10.0.0.9:1"), tls: true, admitted: ADMITTED }).request();
  traffic.entered(plaintext("10.0.0.1:4000")).request();
  const mapped = traffic.entered(plaintext("::ffff:10.0.0.1:4001"));
  traffic.entered(plaintext("[::1]:5000"));
  clock.ms = 2000;
  mapped.request();
  mapped.request();
  assert.deepEqual(traffic.report("permissive"), {
    mode: "permissive",
    mtls: { connections: 1, requests: 1 },
    plaintext: { connections: 3, requests: 3 },
    callers: [
      { address: "[::1]", connections: 1, requests: 0, lastMs: 1000 },
      { address: "10.0.0.1", connections: 2, requests: 3, lastMs: 2000 },
    ],
    forgotten: 0,
  });
});

Deno.test("InboundTraffic remembers so many callers and forgets the one unheard of for longest", () => {
  const traffic = new InboundTraffic(new Metrics(), () => 0);
  for (let n = 0; n < MAX_PLAINTEXT_CALLERS; n++) traffic.entered(plaintext(`10.0.${n}.1:1`));
  traffic.entered(plaintext("10.0.0.1:2"));
  traffic.entered(plaintext("192.0.2.1:1"));
  const { callers, forgotten } = traffic.report("permissive");
  assert.equal(callers.length, MAX_PLAINTEXT_CALLERS);
  assert.equal(forgotten, 1);
  assert.equal(callers[0]!.address, "192.0.2.1");
  assert.ok(callers.some((one) => one.address === "10.0.0.1"));
  assert.ok(!callers.some((one) => one.address === "10.0.1.1"));
});
