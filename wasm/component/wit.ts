/** The shapes of `denim:filter@0.1.0` as the host sees them through the glue; see wasm/wit/filter.wit. */
export type {
  BodyEdits,
  BodyMode,
  BodyVerdictRecord,
  CallErrorRecord,
  CallRecord,
  Capabilities,
  Content,
  Edits,
  Ending,
  Header,
  HeaderOp,
  LocalResponse,
  PeerRecord,
  PhaseName,
  ReplyRecord,
  RequestHeadRecord,
  ResponseHeadRecord,
  VerdictRecord,
} from "../sdk/wit.ts";
export { lastPhase } from "../sdk/wit.ts";
import type { FilterExports as Exports } from "../sdk/wit.ts";

/** The glue wants 64-bit integers as BigInt. */
export type FilterExports = Exports<bigint>;

/** The glue turns a thrown `payload` into the error of a WIT result. */
export function refusal(payload: unknown): { payload: unknown } {
  return { payload };
}
