/** Host call by name. A row is all it takes to add one; its capability stands in catalogue.ts. */
import * as body from "./calls_body.ts";
import * as http from "./calls_http.ts";
import * as foreign from "./calls_foreign.ts";
import * as grpc from "./calls_grpc.ts";
import * as headers from "./calls_headers.ts";
import * as plugin from "./calls_plugin.ts";
import * as property from "./calls_property.ts";
import * as queues from "./calls_queue.ts";
import * as stream from "./calls_stream.ts";
import type { HostCall } from "./catalogue.ts";
import type { Vm } from "./vm.ts";

/** Makes the function one instance imports. */
export type MakeCall = (vm: Vm) => (...args: never[]) => number | void;

export const CALLS: Readonly<Record<HostCall, MakeCall>> = {
  proxy_log: plugin.log,
  proxy_get_log_level: plugin.getLogLevel,
  proxy_get_current_time_nanoseconds: plugin.getCurrentTime,
  proxy_set_tick_period_milliseconds: plugin.setTickPeriod,
  proxy_get_configuration: body.getConfiguration,
  proxy_get_buffer_bytes: body.getBufferBytes,
  proxy_get_buffer_status: body.getBufferStatus,
  proxy_set_buffer_bytes: body.setBufferBytes,
  proxy_get_header_map_size: headers.getMapSize,
  proxy_get_header_map_pairs: headers.getMapPairs,
  proxy_get_header_map_value: headers.getMapValue,
  proxy_set_header_map_pairs: headers.setMapPairs,
  proxy_add_header_map_value: headers.addMapValue,
  proxy_replace_header_map_value: headers.replaceMapValue,
  proxy_remove_header_map_value: headers.removeMapValue,
  proxy_continue_stream: stream.continueStream,
  proxy_continue_request: stream.continueRequest,
  proxy_continue_response: stream.continueResponse,
  proxy_close_stream: stream.closeStream,
  proxy_clear_route_cache: stream.clearRouteCache,
  proxy_send_local_response: stream.sendLocalResponse,
  proxy_set_effective_context: stream.setEffectiveContext,
  proxy_done: stream.done,
  proxy_get_property: property.getProperty,
  proxy_set_property: property.setProperty,
  proxy_get_shared_data: plugin.getSharedData,
  proxy_set_shared_data: plugin.setSharedData,
  proxy_define_metric: plugin.defineMetric,
  proxy_record_metric: plugin.recordMetric,
  proxy_increment_metric: plugin.incrementMetric,
  proxy_get_metric: plugin.getMetric,
  proxy_call_foreign_function: foreign.callForeignFunction,
  proxy_register_shared_queue: queues.register,
  proxy_resolve_shared_queue: queues.resolve,
  proxy_enqueue_shared_queue: queues.enqueue,
  proxy_dequeue_shared_queue: queues.dequeue,
  proxy_http_call: http.httpCall,
  proxy_grpc_call: grpc.grpcCall,
  proxy_grpc_stream: grpc.grpcStream,
  proxy_grpc_send: grpc.grpcSend,
  proxy_grpc_cancel: grpc.grpcCancel,
  proxy_grpc_close: grpc.grpcClose,
  proxy_get_status: http.getStatus,
  emscripten_notify_memory_growth: () => () => {},
  pthread_equal: () => (a: number, b: number): number => a === b ? 1 : 0,
};
