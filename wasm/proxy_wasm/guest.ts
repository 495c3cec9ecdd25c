/** The callbacks of an instance, picked out of its exports once. */
import { ABI_MARKERS, type AbiVersion } from "./abi.ts";

/** Any export: i32 in, i32 or nothing out. JavaScript ignores surplus arguments, so arity needs no care. */
export type GuestFunction = (...args: number[]) => number | undefined;

/** Export name by callback. */
export const CALLBACKS = {
  onContextCreate: "proxy_on_context_create",
  onVmStart: "proxy_on_vm_start",
  onConfigure: "proxy_on_configure",
  onTick: "proxy_on_tick",
  onQueueReady: "proxy_on_queue_ready",
  onHttpCallResponse: "proxy_on_http_call_response",
  onGrpcInitialMetadata: "proxy_on_grpc_receive_initial_metadata",
  onGrpcReceive: "proxy_on_grpc_receive",
  onGrpcTrailingMetadata: "proxy_on_grpc_receive_trailing_metadata",
  onGrpcClose: "proxy_on_grpc_close",
  onRequestHeaders: "proxy_on_request_headers",
  onRequestBody: "proxy_on_request_body",
  onRequestTrailers: "proxy_on_request_trailers",
  onResponseHeaders: "proxy_on_response_headers",
  onResponseBody: "proxy_on_response_body",
  onResponseTrailers: "proxy_on_response_trailers",
  onNewConnection: "proxy_on_new_connection",
  onDownstreamData: "proxy_on_downstream_data",
  onUpstreamData: "proxy_on_upstream_data",
  onDownstreamClose: "proxy_on_downstream_connection_close",
  onUpstreamClose: "proxy_on_upstream_connection_close",
  onDone: "proxy_on_done",
  onLog: "proxy_on_log",
  onDelete: "proxy_on_delete",
} as const;

export type Callback = keyof typeof CALLBACKS;
export type Guest = { readonly [K in Callback]: GuestFunction | undefined };

export function guestOf(exports: WebAssembly.Exports): Guest {
  const guest: Partial<Record<Callback, GuestFunction | undefined>> = {};
  for (const [callback, name] of Object.entries(CALLBACKS)) {
    guest[callback as Callback] = functionOf(exports, name);
  }
  // AssemblyScript's SDK exports it under another name.
  guest.onGrpcTrailingMetadata ??= functionOf(exports, "proxy_on_grpc_trailing_metadata");
  return guest as Guest;
}

export function functionOf(exports: WebAssembly.Exports, name: string): GuestFunction | undefined {
  const found = exports[name];
  return typeof found === "function" ? found as GuestFunction : undefined;
}

/** The ABI a module speaks by its marker export, or null. */
export function abiOf(exports: ReadonlySet<string>): AbiVersion | null {
  for (const [marker, version] of Object.entries(ABI_MARKERS)) {
    if (exports.has(marker)) return version;
  }
  return null;
}

/** The allocator: hosts prefer malloc where both exist, because TinyGo exports both. */
export function allocatorOf(exports: WebAssembly.Exports): ((size: number) => number) | null {
  const found = functionOf(exports, "malloc") ??
    functionOf(exports, "proxy_on_memory_allocate");
  return found === undefined ? null : found as (size: number) => number;
}
