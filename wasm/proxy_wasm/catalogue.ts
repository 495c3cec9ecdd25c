/** Every host call of the Proxy-Wasm ABI (and its dialects) by name, with the capability it takes; null: always granted. */
import type { Capability } from "../capabilities.ts";

export const HOST_CALLS = {
  proxy_log: null,
  proxy_get_log_level: null,
  proxy_get_current_time_nanoseconds: null,
  proxy_get_configuration: null,
  proxy_set_effective_context: null,
  proxy_done: null,
  proxy_get_status: null,
  proxy_set_tick_period_milliseconds: "tick",
  // Buffers also hold the plugin's configuration, so these two are looked at buffer by buffer.
  proxy_get_buffer_bytes: "body-read",
  proxy_get_buffer_status: "body-read",
  proxy_set_buffer_bytes: "body-write",
  proxy_get_header_map_size: "headers-read",
  proxy_get_header_map_pairs: "headers-read",
  proxy_get_header_map_value: "headers-read",
  proxy_set_header_map_pairs: "headers-write",
  proxy_add_header_map_value: "headers-write",
  proxy_replace_header_map_value: "headers-write",
  proxy_remove_header_map_value: "headers-write",
  proxy_continue_stream: "stream-control",
  proxy_continue_request: "stream-control",
  proxy_continue_response: "stream-control",
  proxy_close_stream: "stream-control",
  proxy_clear_route_cache: "stream-control",
  proxy_send_local_response: "local-reply",
  proxy_get_property: "properties-read",
  proxy_set_property: "properties-write",
  proxy_get_shared_data: "shared-data",
  proxy_set_shared_data: "shared-data",
  proxy_register_shared_queue: "shared-queue",
  proxy_resolve_shared_queue: "shared-queue",
  proxy_enqueue_shared_queue: "shared-queue",
  proxy_dequeue_shared_queue: "shared-queue",
  proxy_define_metric: "metrics",
  proxy_record_metric: "metrics",
  proxy_increment_metric: "metrics",
  proxy_get_metric: "metrics",
  proxy_http_call: "http-call",
  proxy_grpc_call: "grpc-call",
  proxy_grpc_stream: "grpc-call",
  proxy_grpc_send: "grpc-call",
  proxy_grpc_cancel: "grpc-call",
  proxy_grpc_close: "grpc-call",
  proxy_call_foreign_function: "foreign-call",
  emscripten_notify_memory_growth: null,
  pthread_equal: null,
} as const satisfies Record<string, Capability | null>;

export type HostCall = keyof typeof HOST_CALLS;

/** Modules WASI functions are imported from: the old name is what modules of 2020 ask for. */
export const WASI_MODULES: readonly string[] = ["wasi_snapshot_preview1", "wasi_unstable"];
