/** For tests only: a clock, an environment and an exchange that filters can be tried on. */
import type { Claims } from "../core/claims.ts";
import { type Calls, NO_CALLS } from "../core/calls.ts";
import type { Clock } from "../core/clock.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import { Fields } from "../core/fields.ts";
import {
  DONE,
  type FilterContext,
  type FilterEnv,
  type Outcome,
  type Verdict,
} from "../core/filter.ts";
import { silentLog } from "../core/log.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import { Metrics } from "../core/metrics.ts";
import { Wheel } from "../core/timers.ts";

/** Time that moves when it is told to. */
export class FakeClock implements Clock {
  ms = 1_000_000;
  nowMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

/** An environment over a fake clock; kept state is shared by every env made from the same object. */
export class FakeEnv implements FilterEnv {
  readonly name = "default/policy";
  readonly slot = 0;
  readonly backend: string;
  readonly clock = new FakeClock();
  readonly wheel: Wheel = new Wheel(this.clock, { tickMs: 1, drive: false });
  /** What random() gives, in turn; the last one for ever. */
  randoms = [0.5];
  readonly metrics = new Metrics();
  readonly log = silentLog;
  calls: Calls = NO_CALLS;
  readonly kept = new Map<string, unknown>();

  constructor(backend = "default/catalog:80") {
    this.backend = backend;
  }

  random = (): number => this.randoms.length > 1 ? this.randoms.shift()! : this.randoms[0]!;

  keep<T>(key: string, make: () => T): T {
    if (!this.kept.has(key)) this.kept.set(key, make());
    return this.kept.get(key) as T;
  }

  /** Moves time and expires what is due, tick by tick. */
  pass(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.clock.ms++;
      this.wheel.advance();
    }
  }

  /** Value of a counter or gauge as the metrics page shows it; 0 when it is not there. */
  metric(series: string): number {
    const line = this.metrics.render().split("\n").find((text) => text.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }
}

/** Records what a filter does to its exchange. */
export class FakeContext implements FilterContext {
  readonly request: RequestHead;
  response: ResponseHead | null = null;
  peer = "";
  remote = "127.0.0.1:50000";
  readonly routeName = "default/route/0";
  readonly backendName = "default/catalog:80";
  readonly version = "v1";
  readonly slots: unknown[] = [undefined];
  claims: Claims | null = null;
  refusedBy = "";
  readonly failed: string[] = [];
  readonly failedAttempts: string[] = [];
  resumed = 0;
  replyBody: Uint8Array | null = null;
  /** Called by failAttempt, as Dispatch calls the outcome hooks; null: no attempt is running. */
  onFailAttempt: ((fault: Fault) => void) | null = null;

  constructor(method = "GET", path = "/", authority = "catalog") {
    this.request = { method, scheme: "http", authority, path, fields: new Fields() };
  }

  respond(status: number, fields: Fields = new Fields(), body?: Uint8Array): Verdict {
    this.response = { status, fields };
    this.replyBody = body ?? null;
    return DONE;
  }
  fail(fault: Fault): Verdict {
    this.failed.push(fault.code);
    return DONE;
  }
  failAttempt(fault: Fault): void {
    this.failedAttempts.push(fault.code);
    this.onFailAttempt?.(fault);
  }
  resume(_held: number): void {
    this.resumed++;
  }
}

/** An outcome of the nth attempt: a status, or the code of a fault. */
export function outcome(attempt: number, result: number | keyof typeof FAULTS): Outcome {
  const endpoint = "127.0.0.1:9000";
  return typeof result === "number"
    ? { endpoint, attempt, status: result, fault: null, grpcStatus: -1 }
    : { endpoint, attempt, status: 0, fault: FAULTS[result], grpcStatus: -1 };
}
