/** What rounds of load say about those that carried it: medians, and Denim's divided by each rival's. */

/** Numbers of one contender in one round; all that compares must have the same names. */
export type Figures = Readonly<Record<string, number>>;

/** One round, by contender; `denim` is among them. */
export type Round<F extends Figures> = Readonly<Record<string, F>>;

/** Share of a core that programs outside the bench may take during a round before it is measured again. */
export const MAX_OTHERS_PERCENT = 10;

/** Every figure of a round says how much of a core others took meanwhile. */
export interface Watched {
  readonly othersPercent: number;
}

/**
 * Rounds of all, one after the other; who goes first rotates, so that a drift favours nobody. Disturbed
 * rounds are measured again, all in all as often as there are rounds, and then taken as they are.
 */
export async function alternate<F extends Figures & Watched>(
  rounds: number,
  names: readonly string[],
  one: (name: string) => Promise<F>,
  say: (line: string) => void = console.error,
): Promise<Round<F>[]> {
  const each: Round<F>[] = [];
  let repeats = rounds;
  for (let round = 0; round < rounds; round++) {
    const figures: Record<string, F> = {};
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length]!;
      let found = await one(name);
      for (; repeats > 0 && found.othersPercent > MAX_OTHERS_PERCENT; repeats--) {
        say(`${name}: others took ${found.othersPercent} % of a core, measuring again`);
        found = await one(name);
      }
      figures[name] = found;
    }
    each.push(figures);
    say(`round ${round + 1}: ${JSON.stringify(figures)}`);
  }
  return each;
}

export interface Comparison<F extends Figures> {
  /** Medians over the rounds, by contender. */
  readonly medians: Round<F>;
  /** Denim's median divided by the rival's, by rival and figure. */
  readonly ratio: Readonly<Record<string, F>>;
  readonly each: readonly Round<F>[];
}

/** Medians and their ratios. */
export function compare<F extends Figures>(each: readonly Round<F>[]): Comparison<F> {
  const names = Object.keys(each[0] ?? {});
  const medians = Object.fromEntries(
    names.map((name) => [name, mediansOf(each.map((round) => round[name]!))]),
  );
  const denim = medians["denim"];
  if (denim === undefined) throw new Error("There is no round of denim to compare");
  const ratio = Object.fromEntries(
    names.filter((name) => name !== "denim")
      .map((name) => [name, mapFigures(denim, (value, key) => value / medians[name]![key]!)]),
  );
  return { medians, ratio, each };
}

function mediansOf<F extends Figures>(figures: readonly F[]): F {
  return mapFigures(figures[0]!, (_, key) => median(figures.map((one) => one[key]!)));
}

function mapFigures<F extends Figures>(one: F, value: (value: number, key: string) => number): F {
  // How much others took is no property of a contender.
  const entries = Object.entries(one).filter(([key]) => key !== "othersPercent")
    .map(([key, before]) => [key, round2(value(before, key))]);
  return Object.fromEntries(entries) as F;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return round2((sorted[middle - 1]! + sorted[middle]!) / 2);
}

export function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
