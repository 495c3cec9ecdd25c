/** What is wrong with a message, as the fault of a request and as that of a response. */
import { type Fault, type FaultCode, FAULTS } from "../../core/fault.ts";

/** A malformed response is the upstream's fault, whatever rule it broke; the detail keeps the rule. */
const AS_RESPONSE: Readonly<Record<string, FaultCode>> = {
  "h1.bad_request_line": "h1.bad_status_line",
  "h1.not_http": "h1.bad_status_line",
  "h1.bad_target": "h1.bad_status_line",
  "h1.bad_method": "h1.bad_status_line",
  "h1.bad_version": "h1.bad_status_line",
  "h1.head_too_large": "h1.response_too_large",
  "h1.too_many_fields": "h1.response_too_large",
  "h1.target_too_long": "h1.response_too_large",
  "h1.trailers_too_large": "h1.response_too_large",
};

const responses = new Map<Fault, Fault>();
for (const fault of Object.values(FAULTS)) {
  if (!fault.code.startsWith("h1.") || fault.source !== "downstream") continue;
  const code = AS_RESPONSE[fault.code] ?? "h1.bad_response";
  const detail = code === "h1.bad_status_line"
    ? FAULTS[code].detail
    : `${FAULTS[code].detail}: ${fault.detail[0]!.toLowerCase()}${fault.detail.slice(1)}`;
  responses.set(fault, Object.freeze({ ...FAULTS[code], detail }));
}

/** The fault of an upstream whose response breaks the same rule. */
export function asResponseFault(fault: Fault): Fault {
  return responses.get(fault) ?? fault;
}
