/**
 * Where a function body is charged, and how much: the fuel plan of one body.
 *
 *   entry ●─────block────────────end ○────         ● must charge: function entry, loop header
 *               │ loop ●──br_if──┘                 ○ may charge: code after an `end`, arms of an `if`
 *
 * Every run of instructions belongs to the last point above it, so each executed instruction is paid
 * for. A short run at a ○ is paid at the point its construct was entered from, which always runs at
 * least as often; so small joins cost no code, and a big interpreter loop does not pay at its header
 * for all the cases it jumps over.
 */
import { bulkShift, costOf, OP, skipImmediates } from "./opcodes.ts";
import type { FunctionType } from "./parse.ts";
import { ModuleError, type Reader } from "./reader.ts";

/** Runs shorter than this are paid where their construct was entered. */
const SHORT_RUN = 32;
/** What a point may pay in advance for others before they must pay for themselves. */
const ADVANCE_LIMIT = 192;
/** A direct call of an import: the work is the host's, which counts calls and bytes as well. */
export const HOST_CALL_COST = 500;
/** Entering a function costs more than an instruction: a frame, and stack that recursion uses up. */
const ENTRY_COST = 4;
/** Locals are set to zero, and values that go along with a branch are moved: so many for one fuel. */
const VALUES_PER_FUEL = 8;

/** Take `cost` before the instruction at `at`. */
export interface Charge {
  readonly at: number;
  readonly cost: number;
}

/** Before the bulk instruction at `at`, take its last operand shifted right by `shift` (left when negative). */
export interface BulkCharge {
  readonly at: number;
  readonly shift: number;
}

export interface FuelPlan {
  readonly charges: readonly Charge[];
  readonly bulk: readonly BulkCharge[];
}

interface Point {
  readonly at: number;
  /** The point that pays for a short run here; -1: this one always charges. */
  readonly payer: number;
  cost: number;
  advance: number;
}

/** What a body's plan takes from around it. */
export interface Surroundings {
  readonly importedFunctions: number;
  readonly types: readonly FunctionType[];
  /** Of the function itself: values it returns, and its locals without parameters. */
  readonly results: number;
  readonly locals: number;
}

/** Plans one body; `reader` stands at its first instruction and is left behind the last. */
export function planFuel(reader: Reader, around: Surroundings): FuelPlan {
  const entry = ENTRY_COST + fuelOf(around.locals);
  const points: Point[] = [{ at: reader.at, payer: -1, cost: entry, advance: 0 }];
  const bulk: BulkCharge[] = [];
  const frames: number[] = [0]; // for each open construct: the point it was entered from
  const moved: number[] = [around.results]; // … and the values that go along with a branch to it
  let current = 0;
  const open = (payer: number): void => {
    points.push({ at: reader.at, payer, cost: 0, advance: 0 });
    current = points.length - 1;
  };
  while (frames.length > 0) {
    const at = reader.at;
    const op = reader.u8();
    const second = skipImmediates(reader, op);
    points[current]!.cost += costOf(op, second);
    switch (op) {
      case OP.block:
      case OP.try:
      case OP.tryTable:
        frames.push(current);
        moved.push(around.types[second - 1]?.results.length ?? 0);
        break;
      case OP.loop:
        frames.push(current);
        moved.push(around.types[second - 1]?.params.length ?? 0);
        open(-1);
        break;
      case OP.if:
        frames.push(current);
        moved.push(around.types[second - 1]?.results.length ?? 0);
        open(current);
        break;
      case OP.br:
      case OP.brIf:
      case OP.brTable:
      case OP.brOnNull:
      case OP.brOnNonNull:
        points[current]!.cost += fuelOf(moved.at(-1 - second) ?? 0);
        break;
      case OP.return:
        points[current]!.cost += fuelOf(around.results);
        break;
      case OP.else:
      case OP.catch:
      case OP.catchAll:
        open(frames.at(-1)!);
        break;
      case OP.end:
      case OP.delegate:
        points[current]!.cost += fuelOf(moved.pop()!);
        open(frames.pop()!);
        break;
      case OP.call:
      case OP.returnCall:
        if (second < around.importedFunctions) points[current]!.cost += HOST_CALL_COST;
        break;
      case OP.misc: {
        const shift = bulkShift(op, second);
        if (shift !== null) bulk.push({ at, shift });
      }
    }
  }
  if (!reader.done) {
    throw new ModuleError("wasm.malformed", "A function goes on after its end", reader.at);
  }
  return { charges: settle(points), bulk };
}

function fuelOf(values: number): number {
  return Math.floor(values / VALUES_PER_FUEL);
}

/** Moves short runs to their payers, last first, so that what moved can move on. */
function settle(points: Point[]): Charge[] {
  const charges: Charge[] = [];
  for (let i = points.length - 1; i >= 0; i--) {
    const point = points[i]!;
    const payer = point.payer < 0 ? undefined : points[point.payer]!;
    if (
      payer !== undefined && point.cost < SHORT_RUN && payer.advance + point.cost <= ADVANCE_LIMIT
    ) {
      payer.cost += point.cost;
      payer.advance += point.cost;
    } else if (point.cost > 0) charges.push({ at: point.at, cost: point.cost });
  }
  return charges.reverse();
}
