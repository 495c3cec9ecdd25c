import assert from "node:assert/strict";
import { createLog } from "../core/log.ts";
import { TestDomain } from "../tests/support/ca.ts";
import { OutletTrust, type TrustedOutlet } from "./outlet_trust.ts";
import { type AdmittedPeer, MeshIdentity } from "./tls/mod.ts";
import { decodePem } from "./tls/mod.ts";

class Outlet implements TrustedOutlet {
  readonly address = "10.0.0.1:15006";
  drains = 0;
  readonly faults: string[] = [];
  drain(): void {
    this.drains++;
  }
  fail({ code }: { code: string }): void {
    this.faults.push(code);
  }
}

Deno.test("OutletTrust drains a connection whose server's certificate has expired, and cuts it later", () => {
  const domain = new TestDomain();
  const clock = { now: Date.now(), nowMs: () => clock.now, monotonicMs: () => clock.now };
  const own = new MeshIdentity(domain.material("web"), { nowMs: clock.nowMs });
  const notAfterMs = Math.floor(clock.now / 1000) * 1000 + 60_000;
  const chain = decodePem(domain.issue("catalog", { notAfterMs }).chainPem, "CERTIFICATE")!;
  const verdict = own.verify(chain, "server");
  assert.ok(verdict.ok);
  const peer: AdmittedPeer = { ...verdict, role: "server", generation: own.generation };
  const lines: string[] = [];
  const trust = new OutletTrust(clock, createLog((line) => lines.push(line)), 5000);
  const outlet = new Outlet();
  trust.opened(outlet, peer);

  trust.sweep(own);
  assert.equal(outlet.drains, 0);
  clock.now = notAfterMs + 1000;
  trust.sweep(own);
  assert.deepEqual([outlet.drains, outlet.faults], [1, []]);
  const { msg, reason, endpoint } = JSON.parse(lines.at(-1)!);
  assert.deepEqual([msg, reason, endpoint], ["outbound.closed", "expired", outlet.address]);
  clock.now += 5001;
  trust.sweep(own);
  assert.deepEqual([outlet.drains, outlet.faults], [1, ["upstream.distrusted"]]);
  trust.closed(outlet);
  assert.equal(trust.size, 0);
});

Deno.test("OutletTrust cuts at once what has been revoked", () => {
  const domain = new TestDomain();
  const clock = { nowMs: Date.now, monotonicMs: () => 0 };
  const own = new MeshIdentity(domain.material("web"));
  const chain = decodePem(domain.issue("catalog").chainPem, "CERTIFICATE")!;
  const verdict = own.verify(chain, "server");
  assert.ok(verdict.ok);
  const trust = new OutletTrust(clock, createLog(() => {}), 5000);
  const outlet = new Outlet();
  trust.opened(outlet, { ...verdict, role: "server", generation: own.generation });
  own.revoke({ serials: [verdict.serial] });
  trust.sweep(own);
  assert.deepEqual([outlet.drains, outlet.faults], [0, ["upstream.distrusted"]]);
});
