/** Fetching a bundle: who is believed to be its endpoint, and which addresses are not called. */
import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import { MeshIdentity } from "../../proxy/tls/mod.ts";
import { TestDomain } from "../../tests/support/ca.ts";
import type { FederatedDomain } from "../schema/federation.ts";
import { readDocument } from "./document.ts";
import { type RunningEndpoint, startEndpoint } from "./endpoint.ts";
import { fetchDocument } from "./fetch.ts";

const b = new TestDomain("b.test"), thief = new TestDomain("b.test", { name: "Thief" });
const here = () => Promise.resolve(["127.0.0.1"]);

async function withEndpoint(
  identity: Parameters<typeof startEndpoint>[0]["identity"],
  test: (endpoint: RunningEndpoint, port: string, dir: string) => Promise<void>,
  bundle = () => [b.rootPem],
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "denim-endpoint-" });
  const endpoint = await startEndpoint({
    listen: { host: "127.0.0.1", port: 0 },
    identity,
    authority: { bundle },
    sequenceFile: `${dir}/own.json`,
    log: silentLog,
  });
  try {
    await test(endpoint, endpoint.address.split(":")[1]!, dir);
  } finally {
    await endpoint.close();
    await Deno.remove(dir, { recursive: true });
  }
}

function domain(url: string, over: Partial<FederatedDomain> = {}): FederatedDomain {
  const spiffeId = b.id("control-plane");
  return {
    trustDomain: "b.test",
    endpoint: { url, profile: "https_spiffe", spiffeId },
    allowPrivateAddresses: true,
    ...over,
  };
}

Deno.test("fetchDocument believes an https_spiffe endpoint by the bundle and the id it has to have", () =>
  withEndpoint(new MeshIdentity(b.material("control-plane")), async (endpoint, port) => {
    assert.equal(endpoint.profile, "https_spiffe");
    const config = domain(`https://b.example:${port}/`);
    const text = await fetchDocument(config, [b.rootPem], here);
    assert.deepEqual(readDocument("b.test", text).bundle, [b.rootPem]);
    const other = domain(`https://b.example:${port}/`, {
      endpoint: { ...config.endpoint, spiffeId: b.id("web") },
    });
    await assert.rejects(fetchDocument(other, [b.rootPem], here), /instead of/);
    await assert.rejects(fetchDocument(config, [thief.rootPem], here));
    await assert.rejects(fetchDocument(config, null, here), /no bundle yet/);
    const elsewhere = domain(`https://b.example:${port}/other`);
    await assert.rejects(fetchDocument(elsewhere, [b.rootPem], here), /it answered 404/);
  }));

Deno.test("fetchDocument believes an https_web endpoint by its host name and authority", () => {
  const web = b.issue("web", { uris: [], dnsNames: ["bundle.example"] });
  const identity = { certPem: web.chainPem, keyPem: web.keyPem };
  return withEndpoint(identity, async (endpoint, port) => {
    assert.equal(endpoint.profile, "https_web");
    const config = (host: string, ca: string | undefined): FederatedDomain => ({
      trustDomain: "b.test",
      endpoint: { url: `https://${host}:${port}/`, profile: "https_web" },
      allowPrivateAddresses: true,
      ...(ca === undefined ? {} : { ca }),
    });
    const text = await fetchDocument(config("bundle.example", b.rootPem), null, here);
    assert.deepEqual(readDocument("b.test", text).bundle, [b.rootPem]);
    await assert.rejects(fetchDocument(config("other.example", b.rootPem), null, here));
    await assert.rejects(fetchDocument(config("bundle.example", undefined), null, here));
    await assert.rejects(fetchDocument(config("bundle.example", thief.rootPem), null, here));
  });
});

Deno.test("fetchDocument calls no address inside unless it may", async () => {
  for (const address of ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "fd00::1"]) {
    const config: FederatedDomain = {
      ...domain("https://b.example/"),
      allowPrivateAddresses: false,
    };
    const inside = fetchDocument(config, [b.rootPem], () => Promise.resolve([address]));
    await assert.rejects(inside, /no public address; if it is right, set allowPrivateAddresses/);
  }
  const literal = { ...domain("https://[::ffff:127.0.0.1]/"), allowPrivateAddresses: false };
  await assert.rejects(fetchDocument(literal, [b.rootPem], here), /no public address/);
});

Deno.test("fetchDocument follows no redirect, wherever it leads", async () => {
  const web = b.issue("web", { uris: [], dnsNames: ["bundle.example"] });
  let asked = 0;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, cert: web.chainPem, key: web.keyPem },
    () => {
      asked++;
      return new Response(null, { status: 302, headers: { location: TO[asked - 1]! } });
    },
  );
  const TO = ["https://169.254.169.254/latest/meta-data", "https://10.0.0.1/", "/elsewhere"];
  try {
    for (const _ of TO) {
      const config: FederatedDomain = {
        trustDomain: "b.test",
        endpoint: { url: `https://bundle.example:${server.addr.port}/`, profile: "https_web" },
        allowPrivateAddresses: true,
        ca: b.rootPem,
      };
      await assert.rejects(fetchDocument(config, null, here), /^Error: it answered 302$/);
    }
    assert.equal(asked, TO.length, "one question each, and none where they led");
  } finally {
    await server.shutdown();
  }
});

Deno.test("The endpoint counts changes of its bundle, over restarts too", async () => {
  let bundle = [b.rootPem];
  const identity = new MeshIdentity(b.material("control-plane"));
  await withEndpoint(identity, async (_endpoint, port, dir) => {
    const read = async (at: string): Promise<number | null> => {
      const text = await fetchDocument(domain(`https://b.example:${at}/`), [b.rootPem], here);
      return readDocument("b.test", text).sequence;
    };
    assert.deepEqual([await read(port), await read(port)], [1, 1]);
    bundle = [b.rootPem, thief.rootPem];
    assert.equal(await read(port), 2);
    const again = await startEndpoint({
      listen: { host: "127.0.0.1", port: 0 },
      identity,
      authority: { bundle: () => bundle },
      sequenceFile: `${dir}/own.json`,
      log: silentLog,
    });
    assert.equal(await read(again.address.split(":")[1]!), 2);
    await again.close();
  }, () => bundle);
});
