/**
 * A component that waits for answers of its own, as a Filter: every phase is a question to the guest, the
 * exchange pauses until it is answered, and goes on from there.
 *
 *   head      PAUSE, or COLLECT when the body is wanted whole: then its data hook holds back what comes early
 *   data      null (held); called again with the same bytes, it gives what the guest made of them
 *   trailers  PAUSE
 *
 * These filters alone pay for promises: WebAssembly suspends a guest by one.
 */
import {
  COLLECT,
  CONTINUE,
  DONE,
  type FilterContext,
  PAUSE,
  REQUEST,
  RESPONSE,
  type Verdict,
} from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import { HeaderMap, RequestHeaders, ResponseHeaders } from "../proxy_wasm/headers.ts";
import type { Hooks } from "./filter.ts";
import type { ExchangeFacts, Payer } from "./imports.ts";
import type { ComponentInstance } from "./instance.ts";
import type { ComponentPlugin } from "./plugin.ts";
import type { Guest, Seat, Task } from "./pool.ts";
import {
  BODY,
  ComponentExchange,
  type Direction,
  EMPTY,
  pairs,
  REQUEST_WAY,
  requestRecord,
  RESPONSE_WAY,
  responseRecord,
  TRAILERS,
} from "./exchange.ts";
import { NO_UNDO, Verdicts } from "./verdicts.ts";
import type { BodyMode, BodyVerdictRecord, VerdictRecord } from "./wit.ts";

/** What a direction is called where an exchange is resumed. */
const HELD = [REQUEST, RESPONSE] as const;

/** Only for plugins whose functions give promises. */
export function createWaitingFilter(plugin: ComponentPlugin, slot: number): Hooks {
  return new Visits(plugin, slot);
}

/** One call that an exchange waits for; `subject` is what the answer applies to. */
class Question implements Task {
  readonly visit: Visit;
  readonly exchange: ExchangeFacts;
  readonly hook: Task["hook"];
  readonly message: unknown;
  readonly end: boolean | undefined;
  /** Nothing follows, not even trailers. */
  readonly ended: boolean;
  readonly way: Direction;
  readonly subject: HeaderMap | Uint8Array | null;

  constructor(
    visit: Visit,
    exchange: ExchangeFacts,
    call: Pick<Task, "hook" | "message" | "end"> & { readonly ended?: boolean },
    way: Direction,
    subject: HeaderMap | Uint8Array | null,
  ) {
    this.visit = visit;
    this.exchange = exchange;
    this.hook = call.hook;
    this.message = call.message;
    this.end = call.end;
    this.ended = call.ended ?? call.end ?? true;
    this.way = way;
    this.subject = subject;
  }

  get id(): bigint {
    return this.visit.id;
  }
  get payer(): Payer {
    return this.visit;
  }
  get properties(): Map<string, Uint8Array> {
    return this.visit.properties;
  }

  answered(answer: unknown): void {
    this.visit.answered(this, answer);
  }
}

/** One exchange, from its first question to its end. */
class Visit extends ComponentExchange implements Guest {
  readonly #visits: Visits;
  /** Null once the exchange is over. */
  ctx: FilterContext | null;
  id = 0n;
  seat: Seat | null = null;
  /** Of its seat, or of the last it had. */
  instance: ComponentInstance | null = null;
  /** By direction: the question that holds it, and what came of the last one about a body. */
  readonly asking: [Question | null, Question | null] = [null, null];
  readonly made: [Uint8Array | null, Uint8Array | null] = [null, null];
  /** Asked before there was an instance. */
  #early: Question[] | null = null;

  constructor(visits: Visits, ctx: FilterContext) {
    super(visits.plugin.routes.of(ctx.routeName), visits.plugin.limits.fuelPerRequest);
    this.#visits = visits;
    this.ctx = ctx;
  }

  get filterName(): string {
    return this.#visits.plugin.name;
  }

  ask(question: Question): void {
    this.asking[question.way] = question;
    if (this.fuelLeft <= 0 || (this.instance === null && this.#visits.plugin.throttled())) {
      this.asking[question.way] = null;
      return void this.#visits.outOfFuel(this);
    }
    if (this.#early !== null) return void this.#early.push(question);
    if (this.seat === null) {
      const seat = this.#visits.pool.seat(this);
      if (seat === "full") {
        this.asking[question.way] = null;
        return void this.#visits.refuse(this, FAULTS["wasm.no_instance"]);
      }
      if (seat === null) return void (this.#early = [question]);
      this.#sit(seat);
    }
    this.seat!.run(question);
  }

  seated(seat: Seat | null): void {
    const early = this.#early ?? [];
    this.#early = null;
    if (seat === null) {
      for (const { way } of early) {
        this.asking[way] = null;
        if (this.#visits.refuse(this, this.#visits.plugin.refusal) === CONTINUE) this.resume(way);
      }
      return;
    }
    this.#sit(seat);
    for (const question of early) seat.run(question);
  }

  answered(question: Question, answer: unknown): void {
    if (this.asking[question.way] === question) this.asking[question.way] = null;
    this.#visits.answered(this, question, answer);
    if (this.passed && !this.#visits.wantsEnd) this.#leave();
  }

  resume(way: Direction): void {
    this.ctx?.resume(HELD[way]);
  }

  end(last: Question | null): void {
    this.ctx = null;
    this.#visits.pool.leave(this);
    this.#early = null;
    const { seat } = this;
    if (seat === null) return;
    if (this.asking[0] !== null || this.asking[1] !== null) seat.cancel(this.id);
    if (last !== null && !this.skip && seat.instance.dead === null) seat.run(last);
    this.seat = null;
    this.#visits.pool.free(seat);
  }

  /** The guest has forgotten the exchange: another one may have its place. */
  #leave(): void {
    const { seat } = this;
    if (seat === null || this.asking[0] !== null || this.asking[1] !== null) return;
    this.seat = null;
    this.#visits.pool.free(seat);
  }

  #sit(seat: Seat): void {
    this.seat = seat;
    this.instance = seat.instance;
    this.id = seat.instance.newId();
  }
}

class Visits implements Hooks {
  readonly plugin: ComponentPlugin;
  /** The guest hears of the end of every exchange. */
  readonly wantsEnd: boolean;
  readonly #slot: number;
  readonly #has: ReadonlySet<string>;
  readonly #modes: readonly [BodyMode, BodyMode];
  readonly #verdicts: Verdicts;

  constructor(plugin: ComponentPlugin, slot: number) {
    this.plugin = plugin;
    this.#slot = slot;
    this.#has = new Set(plugin.capabilities.phases);
    this.wantsEnd = this.#has.has("log");
    this.#modes = [plugin.capabilities.requestBody, plugin.capabilities.responseBody];
    this.#verdicts = new Verdicts(plugin);
  }

  get pool(): NonNullable<ComponentPlugin["pool"]> {
    return this.plugin.pool!;
  }

  requestHead(ctx: FilterContext, head: RequestHead, end: boolean): Verdict {
    const visit = this.#visitOf(ctx);
    if (visit.skip || !this.#has.has("request-headers")) {
      return visit.bodyFollows(this.#modes[REQUEST_WAY], head.fields, end);
    }
    const message = requestRecord(head, this.plugin.permits.read);
    this.#verdicts.pass(visit, "request-headers", end);
    const map = new RequestHeaders(head, NO_UNDO);
    const call = { hook: "onRequestHeaders", message, end } as const;
    return this.#askHead(visit, new Question(visit, ctx, call, REQUEST_WAY, map));
  }

  responseHead(ctx: FilterContext, head: ResponseHead, end: boolean): Verdict {
    const visit = this.#visitOf(ctx);
    if (visit.over) return CONTINUE; // its own reply
    if (visit.skip || !this.#has.has("response-headers")) {
      return visit.bodyFollows(this.#modes[RESPONSE_WAY], head.fields, end);
    }
    const message = responseRecord(head, this.plugin.permits.read);
    this.#verdicts.pass(visit, "response-headers", end);
    const map = new ResponseHeaders(head, NO_UNDO);
    const call = { hook: "onResponseHeaders", message, end } as const;
    return this.#askHead(visit, new Question(visit, ctx, call, RESPONSE_WAY, map));
  }

  data(ctx: FilterContext, bytes: Uint8Array, end: boolean, way: Direction): Uint8Array | null {
    const visit = this.#visitOf(ctx);
    if (visit.over) return way === RESPONSE_WAY ? bytes : EMPTY;
    const made = visit.made[way];
    if (made !== null) {
      visit.made[way] = null;
      return made;
    }
    if (visit.asking[way] !== null) return null;
    if (visit.skip) return visit.takeHeld(way, bytes);
    visit.fed(bytes.length);
    const taken = this.#modes[way] === "streamed"
      ? bytes
      : visit.collect(ctx, bytes, end, way, this.plugin.capabilities.maxBody);
    if (taken === null || (taken.length === 0 && !end)) return EMPTY;
    // What came just now is gone by the time the guest reads it.
    const whole = taken === bytes ? bytes.slice() : taken;
    const last = this.#modes[way] === "buffered" || end;
    if (last) this.#verdicts.pass(visit, BODY.phase[way], true);
    const call = { hook: BODY.hook[way], message: whole, end: last, ended: end } as const;
    const question = new Question(visit, ctx, call, way, whole);
    visit.ask(question);
    if (visit.asking[way] !== null) return null;
    return visit.over ? EMPTY : whole;
  }

  trailers(ctx: FilterContext, fields: Fields, way: Direction): Verdict {
    const visit = this.#visitOf(ctx);
    if (visit.over) return way === RESPONSE_WAY ? CONTINUE : DONE;
    // Trailers would overtake the body that is still held.
    if (visit.held[way].length > 0) {
      visit.over = true;
      return ctx.fail(FAULTS["wasm.body_length"]);
    }
    if (!this.#has.has(TRAILERS.phase[way]) || visit.skip) return CONTINUE;
    const message = pairs(fields, this.plugin.permits.read);
    const call = { hook: TRAILERS.hook[way], message, end: undefined } as const;
    visit.ask(new Question(visit, ctx, call, way, new HeaderMap(fields, NO_UNDO)));
    return this.#paused(visit, way, PAUSE);
  }

  end(ctx: FilterContext): void {
    const visit = ctx.slots[this.#slot];
    if (!(visit instanceof Visit)) return;
    const told = visit.seat !== null && (this.wantsEnd || !visit.passed);
    const message = ctx.response === null ? "no-response" : "";
    const call = { hook: "onEnd", message, end: undefined } as const;
    visit.end(told ? new Question(visit, factsOf(ctx), call, REQUEST_WAY, null) : null);
  }

  outOfFuel(visit: Visit): Verdict {
    if (visit.fuelLeft > 0) return this.refuse(visit, this.plugin.refusal);
    this.plugin.overLimit("fuelPerRequest");
    return this.refuse(visit, FAULTS["wasm.out_of_fuel"]);
  }

  refuse(visit: Visit, fault: Parameters<Verdicts["fail"]>[2]): Verdict {
    return visit.ctx === null ? DONE : this.#verdicts.fail(visit.ctx, visit, fault);
  }

  answered(visit: Visit, question: Question, answer: unknown): void {
    if (visit.instance!.dead !== null) return this.#lost(visit, question);
    const { subject, way, end, ended } = question;
    const { ctx } = visit;
    if (ctx === null || visit.over || subject === null || answer === null) return;
    if (subject instanceof Uint8Array) {
      const how = { way, buffered: this.#modes[way] === "buffered", end: ended };
      visit.made[way] = this.#verdicts.body(ctx, visit, answer as BodyVerdictRecord, subject, how);
    } else {
      this.#verdicts.head(ctx, visit, answer as VerdictRecord, subject);
      // Pieces may change on their way, so nobody knows the length now.
      if (this.#modes[way] === "streamed" && end === false) subject.fields.remove("content-length");
    }
    if (!visit.over) visit.resume(way);
  }

  /** The instance died, of this or before. */
  #lost(visit: Visit, { subject, way }: Question): void {
    const fault = this.plugin.bury(visit.instance!, {
      exchange: visit.ctx,
      account: visit.account,
      held: visit.held,
    });
    if (visit.ctx === null || visit.over || subject === null) return;
    if (this.refuse(visit, fault) !== CONTINUE) return;
    if (subject instanceof Uint8Array) visit.made[way] = subject;
    visit.resume(way);
  }

  #visitOf(ctx: FilterContext): Visit {
    return (ctx.slots[this.#slot] ??= new Visit(this, ctx)) as Visit;
  }

  #askHead(visit: Visit, question: Question): Verdict {
    visit.ask(question);
    const whole = this.#modes[question.way] === "buffered" && question.end === false;
    return this.#paused(visit, question.way, whole ? COLLECT : PAUSE);
  }

  /** An answer may have come at once: nobody could be asked. */
  #paused(visit: Visit, way: Direction, verdict: Verdict): Verdict {
    if (visit.asking[way] !== null) return verdict;
    return visit.over ? DONE : CONTINUE;
  }
}

/** What is left of an exchange when the guest is told that it is over. */
function factsOf(ctx: FilterContext): ExchangeFacts {
  const { peer, remote, routeName, backendName, version, request } = ctx;
  const fields = new Fields([...request.fields.lines]);
  return { peer, remote, routeName, backendName, version, request: { ...request, fields } };
}
