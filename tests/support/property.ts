/** What property tests share: a printed seed, `SEED=` to replay it, `RUNS=` to look longer, and cuts. */
import fc from "fast-check";

// Otherwise lists have ten elements, whatever their maxLength says.
fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true });

export function runsOf(name: string, numRuns: number): { seed: number; numRuns: number } {
  const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`property/${name}: SEED=${seed}`);
  return { seed, numRuns: Number(Deno.env.get("RUNS") ?? numRuns) };
}

/** Pieces of `bytes`, cut at the given places (any numbers). */
export function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const found: Uint8Array[] = [];
  let from = 0;
  for (const to of [...at, bytes.length]) {
    if (to > from) found.push(bytes.slice(from, to));
    from = to;
  }
  return found;
}
