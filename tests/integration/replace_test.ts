/** Configuration replaced under load: nothing fails, and no response is half of one revision and half of another. */
import assert from "node:assert/strict";
import { pushFilter } from "../../cli/filters/push.ts";
import { copyAsVersion } from "../../examples/filters/versions.ts";
import { Load } from "../support/http.ts";
import { meshRoute, startMesh, type TestMesh } from "../support/mesh.ts";

const TIMES = 20;
const CACHE = new URL("../../.denim/build", import.meta.url).pathname;
const EXAMPLES = new URL("../../examples/filters/", import.meta.url).pathname;

/** The route in its nth form: the request and the response are both marked with n. */
function marked(n: number): unknown {
  const mark = { set: [{ name: "x-rev", value: String(n) }] };
  return meshRoute("web", [{
    filters: [
      { type: "RequestHeaderModifier", requestHeaderModifier: mark },
      { type: "ResponseHeaderModifier", responseHeaderModifier: mark },
    ],
    backendRefs: [{ name: "web", port: 80 }],
  }]);
}

/** Echoes the mark its request came with, after a moment: long enough for a swap to come in between. */
async function echo(request: Request): Promise<Response> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return new Response(request.headers.get("x-rev") ?? "none");
}

function mesh(resources: readonly unknown[] = [marked(0)]): Promise<TestMesh> {
  return startMesh({ services: [{ name: "web", app: echo }], resources });
}

Deno.test("A route replaced 20 times under load fails no request and mixes no two revisions", async () => {
  await using under = await mesh();
  const seen = new Set<string>();
  const load = new Load({
    url: under.gatewayUrl,
    check: ({ status, body, headers }) => {
      if (status !== 200) return `status ${status}: ${body}`;
      seen.add(body);
      return headers["x-rev"] === body ? null : `request ${body}, response ${headers["x-rev"]}`;
    },
  });
  for (let n = 1; n <= TIMES; n++) {
    await under.apply([marked(n)], `form ${n}`);
    await load.more(20);
  }
  const { failures, requests } = await load.stop();
  assert.deepEqual(failures, []);
  assert.ok(requests >= TIMES * 20);
  assert.ok(seen.size >= TIMES, `only ${seen.size} revisions were seen`);
});

Deno.test("Filters of all three kinds replaced 20 times under load fail no request", async () => {
  const work = await Deno.makeTempDir({ prefix: "denim-replace-" });
  const kinds = [
    {
      folder: "wat-security-headers",
      name: "denim/security-headers",
      mark: "security-headers",
      config: {},
    },
    {
      folder: "as-visitor-groups",
      name: "denim/visitor-groups",
      mark: "visitor-groups",
      config: { percent: 50 },
    },
    { folder: "ts-redact", name: "denim/redact", mark: "redact", config: {} },
  ];
  try {
    await using under = await startMesh({
      services: [{
        name: "web",
        // Answers with the mark of its request, after a moment: a swap comes in between.
        app: async (request) => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          return Response.json({ email: "a@b.example", rev: request.headers.get("x-rev") });
        },
      }],
      resources: [marked(0)],
    });
    const { client } = under;
    const versions = ["1.0.0", "2.0.0"];
    for (const { folder } of kinds) {
      for (const version of versions) {
        const dir = `${work}/${folder}-${version}`;
        await copyAsVersion(`${EXAMPLES}${folder}`, dir, version);
        await pushFilter(dir, client, { keyDir: `${work}/keys`, cacheDir: CACHE });
      }
    }
    // On the route, so that its filters and its own marks are one snapshot of one proxy.
    const targetRefs = [{
      group: "gateway.networking.k8s.io",
      kind: "HTTPRoute",
      name: "web",
    }];
    const form = (n: number, version: string): unknown[] => [
      marked(n),
      ...kinds.map(({ folder, name, config }) => ({
        apiVersion: "denim.dev/v1",
        kind: "FilterBinding",
        metadata: { name: folder },
        spec: {
          targetRefs,
          module: { name, version },
          phase: "TRANSFORM",
          config,
          capabilities: ["headers-read", "headers-write", "body-read", "body-write", "metrics"],
          failMode: "closed",
        },
      })),
    ];
    await under.apply(form(0, "1.0.0"));
    const seen = new Map<string, number>();
    const load = new Load({
      url: under.gatewayUrl,
      workers: 4,
      check: ({ status, body, headers }) => {
        if (status !== 200) return `status ${status}: ${body}`;
        // Each filter signs the response with its name and version: all of them, and all of one revision.
        const marks = [headers["x-denim-filter"] ?? ""].flat().join(",");
        const found = new Set([...marks.matchAll(/@(\d)\.0\.0/g)].map((match) => match[1]!));
        if (found.size !== 1) return `marks "${marks}"`;
        if (body.includes("a@b.example")) return `not redacted under "${marks}"`;
        const [version] = found;
        const { rev } = JSON.parse(body) as { rev: string };
        if (headers["x-rev"] !== rev) return `request ${rev}, response ${headers["x-rev"]}`;
        if (version !== versions[Number(rev) % 2]![0]) return `filters ${version} in form ${rev}`;
        seen.set(version!, (seen.get(version!) ?? 0) + 1);
        return null;
      },
    });
    for (let n = 1; n <= TIMES; n++) {
      await under.apply(form(n, versions[n % 2]!), `filters ${n}`);
      await load.more(8);
    }
    const { failures } = await load.stop();
    assert.deepEqual(failures, []);
    assert.deepEqual([...seen.keys()].sort(), ["1", "2"]);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});
