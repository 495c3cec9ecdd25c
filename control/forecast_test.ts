/** Looking ahead: what ends, and whether what renews it works today. */
import assert from "node:assert/strict";
import { TestDomain } from "../tests/support/ca.ts";
import { Authority } from "./ca/authority.ts";
import { INTERMEDIATE_LIFE_MS, ROOT_LIFE_MS } from "./ca/certificates.ts";
import { forecast, type ForecastDeps } from "./forecast.ts";
import type { Member } from "./push/roster.ts";
import type { Resource } from "./schema/kinds.ts";
import { parseDocuments } from "./schema/parse.ts";

const DAY_MS = 86_400_000;
const clock = { ms: Date.now(), nowMs: () => clock.ms, monotonicMs: () => clock.ms };

function member(over: Partial<Member> = {}): Member {
  const identity = "spiffe://mesh.local/ns/default/sa/web";
  return {
    ...{ id: `${identity} 127.0.0.1:1`, name: "sidecar default/web", identity, connected: true },
    ...{ issuer: "", trust: "", certExpiresMs: clock.ms + DAY_MS * 0.8 },
    ...over,
  };
}

async function withAuthority(
  work: (
    deps: ForecastDeps,
    parts: { dir: string; members: Member[]; resources: Resource[] },
  ) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  const authority = await Authority.open(dir, { trustDomain: "mesh.local", clock });
  const members: Member[] = [], resources: Resource[] = [];
  await work({
    ...{ authority, clock, ownEndsMs: () => clock.ms + DAY_MS * 0.8 },
    roster: { all: () => members },
    ledger: { resources: () => resources },
    nodes: { connected: () => [] },
  }, { dir, members, resources });
  await Deno.remove(dir, { recursive: true });
}

/** `leaf due` and the like, sorted as they come. */
async function outlooks(deps: ForecastDeps, days: number): Promise<string[]> {
  const { findings } = await forecast(deps, clock.ms + days * DAY_MS);
  return findings.map(({ what, outlook }) => `${what} ${outlook}`);
}

Deno.test("forecast finds leafs and the intermediate fine while what renews them works", async () => {
  await withAuthority(async (deps, { members }) => {
    members.push(member());
    assert.deepEqual(await outlooks(deps, 0.5), []);
    assert.deepEqual(await outlooks(deps, 1), ["leaf fine", "leaf fine"]);
    const days = INTERMEDIATE_LIFE_MS / DAY_MS;
    assert.deepEqual(await outlooks(deps, days), ["leaf fine", "leaf fine", "intermediate fine"]);
    const { counts, due } = await forecast(deps, clock.ms);
    assert.deepEqual([counts, due], [{ roots: 1, intermediates: 1, leafs: 1, secrets: 0 }, 0]);
  });
});

Deno.test("forecast says what will fail without the root's key, and when the root ends", async () => {
  await withAuthority(async (deps, { dir, members }) => {
    members.push(member());
    await Deno.remove(`${dir}/root.key`);
    const { findings, due } = await forecast(deps, clock.ms + INTERMEDIATE_LIFE_MS);
    assert.equal(due, 3);
    assert.match(
      findings.find((one) => one.what === "intermediate")!.why,
      /root's key .* is missing/,
    );
    assert.match(findings.find((one) => one.what === "leaf")!.why, /authority will have ended/);
    // Within a month it is still good, and leafs are renewed.
    assert.deepEqual(await outlooks(deps, 30), ["leaf fine", "leaf fine"]);
  });
  await withAuthority(async (deps) => {
    const found = await outlooks(deps, ROOT_LIFE_MS / DAY_MS + 1);
    assert.deepEqual(found.toSorted(), ["intermediate fine", "leaf due", "root due"]);
  });
});

Deno.test("forecast names proxies that are away or late, and Secrets", async () => {
  await withAuthority(async (deps, { members, resources }) => {
    members.push(member({ connected: false }), member({ certExpiresMs: clock.ms + DAY_MS * 0.3 }));
    const { findings } = await forecast(deps, clock.ms + DAY_MS);
    assert.deepEqual(findings.map((one) => one.outlook), ["due", "due", "fine"]);
    assert.match(findings[0]!.why, /should have been renewed by now/);
    assert.match(findings[1]!.why, /away/);
    members.length = 0;
    const { chainPem, keyPem } = new TestDomain("public.test").issue("x", {
      ...{ uris: [], dnsNames: ["shop.test"], notAfterMs: clock.ms + 20 * DAY_MS },
    });
    const parsed = parseDocuments([{
      ...{
        apiVersion: "v1",
        kind: "Secret",
        type: "kubernetes.io/tls",
        metadata: { name: "shop" },
      },
      data: { "tls.crt": btoa(chainPem), "tls.key": btoa(keyPem) },
    }]);
    assert.deepEqual(parsed.errors, []);
    resources.push(...parsed.resources);
    assert.deepEqual(await outlooks(deps, 10), ["leaf fine"]);
    const [secret] = (await forecast(deps, clock.ms + 30 * DAY_MS)).findings;
    assert.deepEqual([secret?.what, secret?.name, secret?.outlook], [
      "secret",
      "default/shop",
      "due",
    ]);
  });
});
