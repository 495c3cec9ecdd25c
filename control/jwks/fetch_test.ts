import assert from "node:assert/strict";
import { TestKey } from "../../filters/jwt/fakes.ts";
import { fetchJwks, type FetchOptions } from "./fetch.ts";
import { JWKS_LIMITS } from "./limits.ts";
import { JwksPlaces } from "./places.ts";

const KEY = new TestKey("ES256").jwk;
const SET = JSON.stringify({ keys: [KEY] });
const LOCAL = new JwksPlaces({ allowedNetworks: ["127.0.0.0/8"] });

type Answer = (request: Request) => Response | Promise<Response>;

/** Runs `use` with the `host:port` of a server on the loopback. */
async function serving(
  answer: Answer,
  use: (address: string) => Promise<void>,
  tls?: { cert: string; key: string },
): Promise<void> {
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  const server = tls === undefined
    ? Deno.serve(options, answer)
    : Deno.serve({ ...options, ...tls }, answer);
  try {
    await use(`127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

const fetched = (uri: string, over: Partial<FetchOptions> = {}) =>
  fetchJwks(uri, { places: LOCAL, ...over });

const refused = (answer: Answer, why: RegExp) =>
  serving(answer, (at) => assert.rejects(fetched(`http://${at}/keys`), why));

Deno.test("fetchJwks reads a key set, and asks for it as its URI says", async () => {
  let asked = "";
  await serving((request) => {
    asked = `${request.method} ${new URL(request.url).pathname}${new URL(request.url).search}`;
    return new Response(SET);
  }, async (at) => {
    assert.deepEqual((await fetched(`http://${at}/a/keys?v=1`)).keys, [KEY]);
  });
  assert.equal(asked, "GET /a/keys?v=1");
});

Deno.test("fetchJwks takes the keys it can use of a set with others", async () => {
  const keys = [{ ...KEY, use: "enc" }, KEY, { kty: "oct", k: "AA" }];
  await serving(() => Response.json({ keys }), async (at) => {
    const set = await fetched(`http://${at}/`);
    assert.deepEqual([set.keys, set.refused.length, set.secrets], [[KEY], 2, 1]);
  });
});

Deno.test("fetchJwks follows no redirect, not even to where it came from", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    await refused(
      () => new Response(null, { status, headers: { location: "/keys" } }),
      /answered 30\d; redirects are not followed/,
    );
  }
});

Deno.test("fetchJwks refuses what is no key set", async () => {
  await refused(() => new Response("no", { status: 404 }), /answered 404/);
  await refused(() => new Response("{}"), /no JWK set/);
  await refused(() => new Response("<html>"), /no JWK set/);
  await refused(() => new Response(`{"keys":[],${SET.slice(1)}`), /no JWK set/); // keys twice
  await refused(() => Response.json({ keys: [] }), /no key that can be used/);
  await refused(() => Response.json({ keys: [{ ...KEY, d: "AA" }] }), /keys\[0\] is a private key/);
  await refused(
    () => new Response("x", { headers: { "content-encoding": "gzip" } }),
    /the encoding "gzip"/,
  );
});

Deno.test("fetchJwks reads no more than its limit, also of a body that does not say how long it is", async () => {
  const large = new Uint8Array(JWKS_LIMITS.bytes + 1).fill(32);
  await refused(() => new Response(large), /more than 262144 bytes/);
  await refused(
    () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024).fill(32)),
        }),
      ),
    /more than 262144 bytes/,
  );
});

Deno.test("fetchJwks gives up on a server that does not answer, or not to the end", async () => {
  const over = Promise.withResolvers<Response>();
  await serving(() => over.promise, async (at) => {
    await assert.rejects(fetched(`http://${at}/`, { timeoutMs: 50 }), /within 50 ms/);
    over.resolve(new Response());
  });
  await serving(
    () => new Response(new ReadableStream({ start: (c) => c.enqueue(new Uint8Array([123])) })),
    async (at) => {
      await assert.rejects(fetched(`http://${at}/`, { timeoutMs: 50 }), /within 50 ms/);
    },
  );
});

Deno.test("fetchJwks gives up on a name that is not resolved in time", async () => {
  const resolve = () => new Promise<readonly string[]>(() => {});
  await assert.rejects(fetched("https://a.example/", { resolve, timeoutMs: 20 }), /within 20 ms/);
});

Deno.test("fetchJwks calls only addresses that may be called, whatever a name says", async () => {
  let called = 0;
  await serving(() => {
    called++;
    return new Response(SET);
  }, async (at) => {
    const port = at.split(":")[1];
    const uri = `http://idp.corp:${port}/keys`;
    const of = (list: string[], places: JwksPlaces) =>
      fetched(uri, { resolve: () => Promise.resolve(list), places });
    const byName = new JwksPlaces({ allowedHosts: ["idp.corp"] });
    assert.deepEqual((await of(["127.0.0.1"], byName)).keys, [KEY]);
    assert.equal(called, 1);
    const http = new JwksPlaces({ allowedHosts: ["idp.corp"], allowedNetworks: [] });
    await assert.rejects(of(["169.254.169.254"], http), /leads to 169\.254\.169\.254/);
    await assert.rejects(of([], http), /has no address/);
    await assert.rejects(
      fetched(`https://evil.example:${port}/`, {
        places: new JwksPlaces(),
        resolve: () => Promise.resolve(["127.0.0.1", "10.0.0.1"]),
      }),
      /leads to 127\.0\.0\.1, which is no public address/,
    );
    // The one that may be called is called; the other one not even then.
    assert.deepEqual((await of(["169.254.169.254", "127.0.0.1"], byName)).keys, [KEY]);
    assert.equal(called, 2);
  });
});

Deno.test("fetchJwks tries another address of a host when the first does not answer", async () => {
  await serving(() => new Response(SET), async (at) => {
    const resolve = () => Promise.resolve(["127.0.0.2", "127.0.0.1"]);
    const places = new JwksPlaces({ allowedHosts: ["idp.corp"] });
    const uri = `http://idp.corp:${at.split(":")[1]}/`;
    assert.deepEqual((await fetched(uri, { resolve, places })).keys, [KEY]);
  });
});

Deno.test("fetchJwks wants the certificate of the host it asks, by an authority it knows", async () => {
  const folder = await Deno.makeTempDir({ prefix: "denim-jwks-" });
  try {
    await openssl(
      folder,
      "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2 " +
        "-keyout ca.key -out ca.pem -subj /CN=ca",
    );
    await openssl(
      folder,
      "req -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout idp.key " +
        "-out idp.csr -subj /CN=idp -addext subjectAltName=DNS:idp.example",
    );
    await openssl(
      folder,
      "x509 -req -in idp.csr -CA ca.pem -CAkey ca.key -days 2 -out idp.pem " +
        "-copy_extensions copy",
    );
    const read = (name: string) => Deno.readTextFile(`${folder}/${name}`);
    const ca = await read("ca.pem");
    await serving(() => new Response(SET), async (at) => {
      const port = at.split(":")[1];
      const resolve = () => Promise.resolve(["127.0.0.1"]);
      const uri = `https://idp.example:${port}/`;
      assert.deepEqual((await fetched(uri, { resolve, ca })).keys, [KEY]);
      await assert.rejects(fetched(uri, { resolve }), /could not be asked: .*certificate/);
      await assert.rejects(
        fetched(`https://other.example:${port}/`, { resolve, ca }),
        /could not be asked: .*altnames/,
      );
    }, { cert: await read("idp.pem"), key: await read("idp.key") });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function openssl(cwd: string, args: string): Promise<void> {
  const command = new Deno.Command("openssl", { args: args.split(" "), cwd, stderr: "piped" });
  const { success, stderr } = await command.output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
