/**
 * What every host call takes, as WebAssembly types: `i` is an i32, `l` an i64. Host calls count on it:
 * a module that declared a status as f64 could hand over half a number, or none at all.
 */
import { ModuleError } from "../reader.ts";
import { type HostCall, WASI_MODULES } from "./catalogue.ts";

export const CALL_TYPES: Readonly<Record<HostCall, string>> = {
  proxy_log: "iii",
  proxy_get_log_level: "i",
  proxy_get_current_time_nanoseconds: "i",
  proxy_get_configuration: "ii",
  proxy_set_effective_context: "i",
  proxy_done: "",
  proxy_get_status: "iii",
  proxy_set_tick_period_milliseconds: "i",
  proxy_get_buffer_bytes: "iiiii",
  proxy_get_buffer_status: "iii",
  proxy_set_buffer_bytes: "iiiii",
  proxy_get_header_map_size: "ii",
  proxy_get_header_map_pairs: "iii",
  proxy_get_header_map_value: "iiiii",
  proxy_set_header_map_pairs: "iii",
  proxy_add_header_map_value: "iiiii",
  proxy_replace_header_map_value: "iiiii",
  proxy_remove_header_map_value: "iii",
  proxy_continue_stream: "i",
  proxy_continue_request: "",
  proxy_continue_response: "",
  proxy_close_stream: "i",
  proxy_clear_route_cache: "",
  proxy_send_local_response: "iiiiiiii",
  proxy_get_property: "iiii",
  proxy_set_property: "iiii",
  proxy_get_shared_data: "iiiii",
  proxy_set_shared_data: "iiiii",
  proxy_register_shared_queue: "iii",
  proxy_resolve_shared_queue: "iiiii",
  proxy_enqueue_shared_queue: "iii",
  proxy_dequeue_shared_queue: "iii",
  proxy_define_metric: "iiii",
  proxy_record_metric: "il",
  proxy_increment_metric: "il",
  proxy_get_metric: "ii",
  proxy_http_call: "iiiiiiiiii",
  proxy_grpc_call: "iiiiiiiiiiii",
  proxy_grpc_stream: "iiiiiiiii",
  proxy_grpc_send: "iiii",
  proxy_grpc_cancel: "i",
  proxy_grpc_close: "i",
  proxy_call_foreign_function: "iiiiii",
  emscripten_notify_memory_growth: "i",
  pthread_equal: "ii",
};

/** Those of WASI's functions that look at what they are given. */
const WASI: Readonly<Record<string, string>> = {
  fd_write: "iiii",
  clock_time_get: "ili",
  clock_res_get: "ii",
  random_get: "ii",
  environ_sizes_get: "ii",
  args_sizes_get: "ii",
  proc_exit: "i",
  poll_oneoff: "iiii",
  fd_fdstat_get: "ii",
};

/** Parameters by module and name, as in `env.proxy_log`: "iii". */
export const SIGNATURES: Readonly<Record<string, string>> = Object.fromEntries([
  ...Object.entries(CALL_TYPES).map(([name, params]) => [`env.${name}`, params]),
  ...Object.entries(WASI).map(([name, params]) => [`wasi_snapshot_preview1.${name}`, params]),
]);

const NAMES: Readonly<Record<number, string>> = {
  0x7f: "i32",
  0x7e: "i64",
  0x7d: "f32",
  0x7c: "f64",
  0x7b: "v128",
};

/** Throws when a module imports a host call as something it is not; results may be left out. */
export function checkSignature(
  module: string,
  name: string,
  params: readonly number[],
  results: readonly number[],
): void {
  const table: Readonly<Record<string, string>> = module === "env" ? CALL_TYPES : WASI;
  if (module !== "env" && !WASI_MODULES.includes(module)) return;
  if (!Object.hasOwn(table, name)) return;
  const wanted = [...table[name]!].map((letter) => letter === "i" ? 0x7f : 0x7e);
  const fits = params.length === wanted.length && params.every((type, i) => type === wanted[i]) &&
    (results.length === 0 || (results.length === 1 && results[0] === 0x7f));
  if (fits) return;
  throw new ModuleError(
    "wasm.signature",
    `The module imports ${module}.${name} as ${shown(params)} -> ${shown(results)}; ` +
      `the ABI has ${shown(wanted)} -> (i32)`,
  );
}

function shown(types: readonly number[]): string {
  const list = types.slice(0, 16).map((type) => NAMES[type] ?? "a reference");
  return `(${list.join(", ")}${types.length > 16 ? ", …" : ""})`;
}
