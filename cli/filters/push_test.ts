import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { Market, MarketError, pushFromForm } from "../../control/market/mod.ts";
import { manifestOf, NOOP_WAT } from "../../control/market/testing.ts";
import { openKey } from "./keys.ts";
import { pushFilter } from "./push.ts";

const TOKEN = "s3cret";

interface Place extends AsyncDisposable {
  readonly dir: string;
  readonly filter: string;
  readonly url: string;
  readonly market: Market;
}

/** A marketplace behind the two routes a push uses, and a filter to push. */
async function place(): Promise<Place> {
  const dir = await Deno.makeTempDir({ prefix: "denim-push-" });
  const market = await Market.open(join(dir, "market"), { clock: systemClock, log: silentLog });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => answer(request, market),
  );
  const filter = join(dir, "noop");
  await Deno.mkdir(filter);
  await Deno.writeTextFile(join(filter, "filter.wat"), NOOP_WAT);
  await Deno.writeTextFile(join(filter, "denim.filter.yaml"), manifestOf());
  return {
    dir,
    filter,
    market,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: async () => {
      await server.shutdown();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

async function answer(request: Request, market: Market): Promise<Response> {
  if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) {
    await request.body?.cancel();
    const error = { code: "unauthorized", message: "The token is not the admin token" };
    return Response.json({ error }, { status: 401 });
  }
  try {
    if (request.url.endsWith("/publishers")) {
      const { name, publicKey } = await request.json();
      return Response.json(await market.addPublisherKey(name, publicKey), { status: 201 });
    }
    return Response.json(await market.admit(await pushFromForm(await request.formData())));
  } catch (problem) {
    const { code, message, details, status } = problem as MarketError;
    return Response.json({ error: { code, message, details } }, { status });
  }
}

Deno.test("pushFilter makes a key, makes it known, signs and uploads", async () => {
  await using at = await place();
  const keyDir = join(at.dir, "keys");
  const access = { url: at.url, token: TOKEN };
  const first = await pushFilter(at.filter, access, { keyDir });
  assert.equal(first.listing.name, "acme/noop");
  assert.equal(first.newKey, join(keyDir, "acme.key"));
  assert.equal((await Deno.stat(first.newKey!)).mode! & 0o777, 0o600);
  const second = await pushFilter(at.filter, access, { keyDir });
  assert.equal(second.newKey, null);
  assert.equal(at.market.publishers()[0]!.keys.length, 1);
  assert.deepEqual(at.market.list().map((one) => one.version), ["1.0.0"]);
});

Deno.test("pushFilter gives the control plane's words when it refuses", async () => {
  await using at = await place();
  const options = { keyDir: join(at.dir, "keys") };
  const access = { url: at.url, token: TOKEN };
  await pushFilter(at.filter, access, options);
  await Deno.writeTextFile(join(at.filter, "filter.wat"), `${NOOP_WAT} ;; more`);
  await assert.rejects(pushFilter(at.filter, access, options), {
    code: "market.version_exists",
    status: 409,
    message: /acme\/noop@1\.0\.0 exists with other content/,
  });
  await assert.rejects(pushFilter(at.filter, { ...access, token: "wrong" }, options), {
    status: 401,
    message: "The token is not the admin token",
  });
});

Deno.test("pushFilter says when nobody answers", async () => {
  await using at = await place();
  const access = { url: "http://127.0.0.1:1", token: TOKEN };
  await assert.rejects(
    pushFilter(at.filter, access, { keyDir: join(at.dir, "keys") }),
    /The control plane at http:\/\/127\.0\.0\.1:1 does not answer .* is --control right/,
  );
});

Deno.test("openKey never overwrites a key, and names a damaged one", async () => {
  await using at = await place();
  const keys = await Promise.all([1, 2, 3].map(() => openKey("acme", at.dir)));
  assert.equal(new Set(keys.map((one) => one.key.id)).size, 1, "whoever came first made it");
  await Deno.writeTextFile(join(at.dir, "acme.key"), '{"publisher": "acme"}');
  await assert.rejects(openKey("acme", at.dir), /acme\.key" has no id; restore it, or remove it/);
});
