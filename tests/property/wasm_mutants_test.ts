/** Damaged copies of real modules: each is refused in words or runs within its fuel, in bounded time, whatever was done to it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { concat } from "../../core/bytes.ts";
import { BuildError, buildFilter } from "../../control/market/mod.ts";
import { configText } from "../../control/market/manifest.ts";
import { Fields } from "../../core/fields.ts";
import { inspect } from "../../wasm/inspect.ts";
import { instrument } from "../../wasm/instrument.ts";
import { readSections, SECTION } from "../../wasm/parse.ts";
import { leb, ModuleError, Reader } from "../../wasm/reader.ts";
import { setUp } from "../../wasm/testing/harness.ts";
import { pick, type Random, randomOfRun } from "../fuzz/target.ts";

const EXAMPLES = new URL("../../examples/filters/", import.meta.url);
const CACHE = fileURLToPath(new URL("../../.denim/build", import.meta.url));
const SEED = Number(Deno.env.get("SEED") ?? 20_261_127);
/** What one mutant may take to be refused, or admitted and run, on a busy machine. */
const LIMIT_MS = 10_000;

type Parts = { id: number; content: Uint8Array }[];

function partsOf(bytes: Uint8Array): Parts {
  return readSections(bytes).map(({ id, start, end }) => ({
    id,
    content: bytes.slice(start, end),
  }));
}

function joined(parts: Parts): Uint8Array<ArrayBuffer> {
  const chunks: Uint8Array[] = [Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)];
  for (const { id, content } of parts) {
    chunks.push(Uint8Array.from([id, ...leb(content.length)]), content);
  }
  return concat(chunks);
}

/** Each changes a module in one way and may find nothing to change. */
const MUTATIONS: Readonly<Record<string, (parts: Parts, random: Random) => void>> = {
  "a byte of code": (parts, random) => flip(parts, random, SECTION.code),
  "a byte anywhere": (parts, random) => flip(parts, random, pick(parts, random).id),
  "a number made huge": (parts, random) => {
    const { content } = pick(parts, random);
    const at = random(content.length);
    content.set([0xff, 0xff, 0xff, 0xff, 0x0f].slice(0, content.length - at), at);
  },
  "a section left out": (parts, random) => void parts.splice(random(parts.length), 1),
  "a section twice": (parts, random) => {
    const at = random(parts.length);
    parts.splice(at, 0, parts[at]!);
  },
  "sections in another order": (parts, random) => {
    const a = random(parts.length), b = random(parts.length);
    [parts[a], parts[b]] = [parts[b]!, parts[a]!];
  },
  "a section cut short": (parts, random) => {
    const part = pick(parts, random);
    part.content = part.content.slice(0, random(part.content.length));
  },
  "bytes of one section in another": (parts, random) => {
    const from = pick(parts, random).content, to = pick(parts, random);
    const piece = from.slice(random(from.length)).slice(0, 1 + random(40));
    to.content = Uint8Array.from([...to.content.subarray(0, 20), ...piece]);
  },
  "bodies of functions exchanged": exchangeBodies,
};

function flip(parts: Parts, random: Random, id: number): void {
  const content = parts.find((part) => part.id === id)?.content;
  if (content === undefined || content.length === 0) return;
  content[random(content.length)] = random(3) === 0 ? random(256) : random(16);
}

function exchangeBodies(parts: Parts, random: Random): void {
  const part = parts.find(({ id }) => id === SECTION.code);
  if (part === undefined) return;
  const reader = new Reader(part.content);
  const bodies: Uint8Array[] = [];
  const count = reader.u32(), first = reader.at;
  for (let i = 0; i < count; i++) {
    const from = reader.at;
    reader.skip(reader.u32());
    bodies.push(part.content.slice(from, reader.at));
  }
  const a = random(bodies.length), b = random(bodies.length);
  [bodies[a], bodies[b]] = [bodies[b]!, bodies[a]!];
  let at = first;
  for (const body of bodies) {
    part.content.set(body, at);
    at += body.length;
  }
}

/** What becomes of a mutant; anything but these words is thrown. */
async function fate(
  bytes: Uint8Array<ArrayBuffer>,
  config: string,
): Promise<"refused" | "did not start" | "ran"> {
  let metered: Uint8Array<ArrayBuffer>;
  try {
    inspect(bytes);
    metered = instrument(bytes, { maxPages: 256, maxTable: 100_000 });
  } catch (error) {
    assert.ok(error instanceof ModuleError && error.code !== "wasm.rewrite", String(error));
    assert.ok(error.message.length > 10);
    return "refused";
  }
  let s: Awaited<ReturnType<typeof setUp>>;
  try {
    s = await setUp(metered, { fuelPerCall: 5_000_000, config });
  } catch (error) {
    assert.match(String(error), /did not start: .+|exports no proxy_abi_version/);
    return "did not start";
  }
  for (let i = 0; i < 3; i++) {
    const x = s.exchange();
    if (s.filter.onRequestHead !== undefined) x.requestHead(false);
    if (s.filter.onRequestData !== undefined) x.requestData("some bytes", true);
    x.response = { status: 200, fields: new Fields() };
    if (s.filter.onResponseHead !== undefined) x.responseHead(false, 200, ["a", "b"]);
    if (s.filter.onResponseData !== undefined) x.responseData("some bytes", true);
    x.end();
  }
  s.filter.close?.();
  return "ran";
}

for (
  const [example, runs] of [
    ["as-visitor-groups", 300],
    ["rust-request-signing", 60],
    ["c-response-rewrite", 300],
    ["go-token-bucket", 30],
  ] as const
) {
  Deno.test(`Mutants of ${example} are refused in words or run within their fuel`, async () => {
    let bytes: Uint8Array, config: string;
    try {
      const built = await buildFilter(fileURLToPath(new URL(example, EXAMPLES)), {
        cacheDir: CACHE,
      });
      bytes = built.bytes;
      config = configText(built.manifest);
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      return console.log(`skipped: ${error.message}`);
    }
    const fates: Record<string, number> = { "refused": 0, "did not start": 0, "ran": 0 };
    const kinds = Object.entries(MUTATIONS);
    const wanted = Number(Deno.env.get("RUNS") ?? runs);
    for (let run = 0; run < wanted; run++) {
      const random = randomOfRun(SEED, run);
      // Half of them touch code only: others are mostly refused by the engine at once.
      const [what, mutate] = run % 2 === 0 ? kinds[0]! : pick(kinds, random);
      const parts = partsOf(bytes);
      mutate(parts, random);
      const from = performance.now();
      try {
        fates[await fate(joined(parts), config)]!++;
      } catch (problem) {
        throw new Error(`${example}, seed ${SEED}, run ${run}: ${what}`, { cause: problem });
      }
      const ms = performance.now() - from;
      assert.ok(ms < LIMIT_MS, `${what} took ${Math.round(ms)} ms (seed ${SEED}, run ${run})`);
    }
    console.log(`${example}: ${JSON.stringify(fates)}`);
    assert.ok(fates["refused"]! > 0 && fates["ran"]! > 0, JSON.stringify(fates));
  });
}
