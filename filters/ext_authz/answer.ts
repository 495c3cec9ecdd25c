/** What a provider decided, whichever protocol it speaks. */
import type { CallAnswer } from "../../core/calls.ts";
import type { FilterContext } from "../../core/filter.ts";
import type { RequestHead } from "../../core/message.ts";
import type { Mutations } from "./mutations.ts";

export type Decision =
  | {
    readonly kind: "allow";
    /** Of the request that goes on, and of the response that comes back. */
    readonly request: Mutations;
    readonly response: Mutations;
  }
  | {
    readonly kind: "deny";
    readonly status: number;
    readonly fields: Mutations;
    readonly body: Uint8Array;
  }
  /** Nothing to go by: `why` is for the log. */
  | { readonly kind: "error"; readonly why: string };

/** A question as it is sent. */
export interface Question {
  readonly head: RequestHead;
  readonly body: Uint8Array;
}

/** One of the protocols providers speak. */
export interface Protocol {
  /** `body`: as much of the request's as is shown; `partial`: there is more. */
  ask(ctx: FilterContext, body: Uint8Array, partial: boolean): Question;
  read(answer: CallAnswer): Decision;
}

/** Tells a provider who calls, in fields no client can have a say in. */
export const PRINCIPAL_FIELD = "denim-source-principal", PARTIAL_FIELD = "denim-partial-body";

export function failed(why: string): Decision {
  return { kind: "error", why };
}
