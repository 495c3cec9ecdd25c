/** The question about one exchange, from its head to the provider's answer. */
import { BUFFERED } from "../../core/buffered.ts";
import { concat } from "../../core/bytes.ts";
import type { Call, CallAnswer, CallSink } from "../../core/calls.ts";
import { FAULTS } from "../../core/fault.ts";
import { CONTINUE, DONE, type FilterContext, PAUSE, REQUEST } from "../../core/filter.ts";
import { Fields } from "../../core/fields.ts";
import type { Verdict } from "../../core/filter.ts";
import type { Decision } from "./answer.ts";
import type { Asker } from "./filter.ts";
import type { Mutations } from "./mutations.ts";

const NOTHING = new Uint8Array(0);

/** The body is being collected · the provider is asked · it said yes · it said no, or nothing. */
const COLLECTING = 0, ASKING = 1, ALLOWED = 2, REFUSED = 3;

export class Check implements CallSink {
  readonly #asker: Asker;
  readonly #ctx: FilterContext;
  /** Because of which the provider is asked. */
  readonly #policy: string;
  #state: typeof COLLECTING | typeof ASKING | typeof ALLOWED | typeof REFUSED = COLLECTING;
  #call: Call | null = null;
  /** The exchange waits for us: nobody waits before the first question has returned. */
  #waiting = false;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** What the response is to get; null: nothing. */
  response: Mutations | null = null;

  constructor(asker: Asker, ctx: FilterContext, policy: string) {
    this.#asker = asker;
    this.#ctx = ctx;
    this.#policy = policy;
  }

  /** Asks without a body. */
  head(): Verdict {
    this.#ask(NOTHING, false);
    if (this.#state === ALLOWED) return CONTINUE;
    return this.#state === REFUSED ? DONE : PAUSE;
  }

  /** A data hook's part: holds the body back until the provider has seen enough of it. */
  data(bytes: Uint8Array, end: boolean): Uint8Array | null {
    if (this.#state === COLLECTING) {
      const { maxBytes, allowPartial } = this.#asker.config.body!;
      const total = this.#heldBytes + bytes.length;
      if (total > maxBytes && !allowPartial) return this.#tooLarge();
      // An empty chunk that is not the last says that trailers follow.
      const whole = end || bytes.length === 0;
      if (!whole && total < maxBytes) return this.#hold(bytes);
      this.#ask(this.#joined(bytes).subarray(0, maxBytes), !whole || total > maxBytes);
    }
    if (this.#state !== ALLOWED) return null;
    if (this.#heldBytes === 0) return bytes;
    const body = this.#joined(bytes);
    this.#forget();
    return body;
  }

  called(answer: CallAnswer): void {
    this.#call = null;
    const { fault } = answer;
    const decision: Decision = fault === null
      ? this.#asker.protocol.read(answer)
      : { kind: "error", why: `${fault.detail} (${fault.code})` };
    if (decision.kind === "allow") return this.#allow(decision.request, decision.response);
    if (decision.kind === "error") return this.#failed(decision.why);
    this.#state = REFUSED;
    this.#asker.denied.add();
    this.#ctx.refusedBy = this.#policy;
    const { status, fields, body } = decision;
    const sent = new Fields();
    fields.apply(sent);
    this.#ctx.respond(status, sent, body.length > 0 ? body : undefined);
  }

  /** The exchange is over. */
  closed(): void {
    this.#forget();
    this.#call?.cancel();
    this.#call = null;
  }

  #ask(body: Uint8Array, partial: boolean): void {
    const { config, protocol, calls } = this.#asker;
    this.#state = ASKING;
    const { backend, timeoutMs } = config;
    const question = protocol.ask(this.#ctx, body, partial);
    const call = calls.call({ ...question, backend, timeoutMs, maxBytes: MAX_ANSWER_BYTES }, this);
    if (this.#state !== ASKING) return; // the answer was quicker
    this.#call = call;
    this.#waiting = true;
  }

  #allow(request: Mutations, response: Mutations): void {
    this.#state = ALLOWED;
    this.#asker.allowed.add();
    request.apply(this.#ctx.request.fields);
    if (!response.empty) this.response = response;
    this.#resume();
  }

  #failed(why: string): void {
    const { config: { failOpen, provider }, failedOpen, errors, fault } = this.#asker;
    (failOpen ? failedOpen : errors).add();
    this.#asker.log.write({ provider, why, failOpen });
    this.#state = failOpen ? ALLOWED : REFUSED;
    if (failOpen) return this.#resume();
    this.#ctx.refusedBy = this.#policy;
    this.#ctx.fail(fault);
  }

  #resume(): void {
    if (this.#waiting) this.#ctx.resume(REQUEST);
  }

  #tooLarge(): null {
    this.#state = REFUSED;
    this.#ctx.refusedBy = this.#policy;
    this.#ctx.fail(FAULTS["ext_authz.body_too_large"]);
    return null;
  }

  #hold(bytes: Uint8Array): Uint8Array {
    this.#held.push(bytes.slice());
    this.#heldBytes += bytes.length;
    BUFFERED.add(bytes.length);
    return NOTHING;
  }

  #joined(last: Uint8Array): Uint8Array {
    return concat([...this.#held, last]);
  }

  #forget(): void {
    BUFFERED.remove(this.#heldBytes);
    this.#held = [];
    this.#heldBytes = 0;
  }
}

/** Bytes of an answer's body: what a client is shown of a refusal, or one gRPC message. */
export const MAX_ANSWER_BYTES = 256 * 1024;
