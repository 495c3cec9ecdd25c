/** Runs a random case twice and says what is wrong with what came of it; makes what failed as small as it goes. */
import { isDeepStrictEqual } from "node:util";
import type { Manifest } from "../../../control/market/mod.ts";
import type { Case } from "../stage/case.ts";
import { expectationOf } from "../stage/compare.ts";
import { type Outcome, Stage, type Staged } from "../stage/stage.ts";

export interface Finding {
  readonly kind: "trap" | "stuck" | "fuel" | "broken" | "random";
  /** The same for the same mistake. */
  readonly what: string;
  readonly test: Case;
}

export interface Judged {
  readonly finding: Finding | null;
  /** Of its most expensive call; −1: the configuration was refused, so nothing ran. */
  readonly fuel: number;
}

export interface Judge {
  readonly staged: Staged;
  readonly manifest: Manifest;
  /** More for one call is a finding. */
  readonly fuel: number;
}

export async function judge(by: Judge, test: Case): Promise<Judged> {
  const first = await once(by, test);
  if (first === null) return { finding: null, fuel: -1 };
  if (typeof first === "string") return { finding: { kind: "stuck", what: first, test }, fuel: 0 };
  const fuel = Math.max(0, ...first.callbacks.map((callback) => callback.fuel));
  const found = (kind: Finding["kind"], what: string): Judged => ({
    finding: { kind, what, test },
    fuel,
  });
  if (first.trap !== "") return found("trap", first.trap.split("\n")[0]!);
  const fault = first.down.fault?.code ?? first.down.head_?.fields.get("denim-fault") ?? "";
  if (fault.startsWith("wasm.")) return found("broken", `the exchange fails with ${fault}`);
  if (fuel > by.fuel) return found("fuel", `a call takes more than ${by.fuel} fuel`);
  const second = await once(by, test);
  if (
    second === null || typeof second === "string" || !isDeepStrictEqual(shape(first), shape(second))
  ) {
    return found("random", "the same input gives another result the second time");
  }
  return { finding: null, fuel };
}

/** Null: the configuration was refused, which is an answer like another. Text: it never came to an end. */
async function once({ staged, manifest }: Judge, test: Case): Promise<Outcome | string | null> {
  let stage: Stage;
  try {
    stage = await Stage.open(staged, manifest, test);
  } catch {
    return null;
  }
  try {
    return await stage.run(test.request, test.response);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    stage[Symbol.dispose]();
  }
}

function shape(outcome: Outcome): unknown {
  return { ...expectationOf(outcome), logs: outcome.logs, fuel: outcome.fuel };
}

/** How often a smaller input is tried. */
const TRIES = 80;

/** The smallest case found that has the same finding. */
export async function shrink(by: Judge, finding: Finding): Promise<Finding> {
  let best = finding;
  let tries = 0;
  for (let smaller = true; smaller;) {
    smaller = false;
    for (const test of simpler(best.test)) {
      if (++tries > TRIES) return best;
      const { finding: same } = await judge(by, test);
      if (same === null || same.kind !== finding.kind || same.what !== finding.what) continue;
      best = same;
      smaller = true;
      break;
    }
  }
  return best;
}

function* simpler(test: Case): Generator<Case> {
  for (const side of ["request", "response"] as const) {
    const message = test[side];
    if (message.body !== "") yield { ...test, [side]: { ...message, body: "" } };
    if (typeof message.body === "string" && message.body.length > 1) {
      yield {
        ...test,
        [side]: { ...message, body: message.body.slice(0, message.body.length >> 1) },
      };
    }
    if (Object.keys(message.trailers).length > 0) {
      yield { ...test, [side]: { ...message, trailers: {} } };
    }
    for (const name of Object.keys(message.headers)) {
      const { [name]: _, ...headers } = message.headers;
      yield { ...test, [side]: { ...message, headers } };
    }
  }
  if (test.request.path !== "/") yield { ...test, request: { ...test.request, path: "/" } };
  if (test.request.method !== "GET") yield { ...test, request: { ...test.request, method: "GET" } };
  if (test.config !== undefined) {
    const { config: _, ...rest } = test;
    yield rest;
  }
}
