/** One JSON line per exchange, when asked for. Built only then: logging is free when off. */
import { grpcStatus } from "../core/grpc.ts";
import { FilterSpend } from "../wasm/route_costs.ts";
import { redact } from "../core/redact.ts";
import type { Exchange } from "./exchange.ts";

export type AccessLog = (x: Exchange, listener: string, durationMs: number) => void;

/** `write` gets each line without its newline; JSON escaping keeps a client's bytes from forging one. */
export function createAccessLog(
  write: (line: string) => void,
  nowMs: () => number,
  { filters = false }: { readonly filters?: boolean } = {},
): AccessLog {
  return (x, listener, durationMs) => {
    const { request } = x;
    const line = JSON.stringify({
      time: new Date(nowMs()).toISOString(),
      listener,
      peer: x.peer,
      remote: x.remote,
      method: request.method,
      authority: request.authority,
      path: request.path,
      status: x.response === null ? 0 : x.response.status,
      ...grpcMember(x),
      fault: x.fault === null ? "" : x.fault.code,
      ...(x.refusedBy === "" ? {} : { refused_by: x.refusedBy }),
      ...(filters ? filtersMember(x) : {}),
      duration_ms: Math.round(durationMs * 1000) / 1000,
      ...(x.switchedMs === 0 ? {} : {
        tunnel_ms: Math.round(x.arrival.monotonicMs() - x.switchedMs),
        bytes_up: x.tunnelledUp,
        bytes_down: x.tunnelledDown,
      }),
      route: x.routeName,
      backend: x.backendName,
      version: x.version.slice(0, 12),
      request_id: request.fields.get("x-request-id") ?? "",
    });
    // A path or a request id may hold a token of whoever sent it; logs are read by more people.
    write(redact(line));
  };
}

/** `filters`: what each Wasm filter used for this exchange. */
function filtersMember(x: Exchange): { filters?: readonly object[] } {
  const spent = x.slots.filter((one) => one instanceof FilterSpend);
  if (spent.length === 0) return {};
  return {
    filters: spent.map((one) => ({
      name: one.filterName,
      fuel: one.fuelUsed,
      us: Math.round(one.usUsed * 10) / 10,
    })),
  };
}

/** `grpc_status`, where the response ended with one. */
function grpcMember(x: Exchange): { grpc_status?: number } {
  const status = x.ending === null ? -1 : grpcStatus(x.ending);
  return status < 0 ? {} : { grpc_status: status };
}
