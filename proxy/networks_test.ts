import assert from "node:assert/strict";
import { Networks } from "./networks.ts";

Deno.test("Networks holds the addresses of its networks and no others", () => {
  const networks = new Networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "fe80::1"]);
  for (
    const [address, held] of [
      ["10.0.0.0", true],
      ["10.255.255.255", true],
      ["11.0.0.0", false],
      ["::ffff:10.1.2.3", true],
      ["::ffff:11.1.2.3", false],
      ["192.0.2.7", true],
      ["192.0.2.8", false],
      ["2001:db8:ffff::1", true],
      ["2001:db9::1", false],
      ["fe80::1", true],
      ["fe80::2", false],
      ["undefined", false],
      ["", false],
    ] as const
  ) assert.equal(networks.has(address), held, address);
});

Deno.test("Networks of everything holds everything of its family", () => {
  const v4 = new Networks(["0.0.0.0/0"]), v6 = new Networks(["::/0"]);
  assert.deepEqual([v4.has("1.2.3.4"), v4.has("::1"), v4.has("::ffff:1.2.3.4")], [
    true,
    false,
    true,
  ]);
  assert.deepEqual([v6.has("1.2.3.4"), v6.has("::1")], [false, true]);
  assert.equal(new Networks([]).has("1.2.3.4"), false);
});
