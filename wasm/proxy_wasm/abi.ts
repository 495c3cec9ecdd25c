/** Numbers and names of the Proxy-Wasm ABI, versions 0.1.0, 0.2.0 and 0.2.1. */

export type AbiVersion = "0.1.0" | "0.2.0" | "0.2.1";

/** The export that marks a module's ABI version; never called. */
export const ABI_MARKERS: Readonly<Record<string, AbiVersion>> = {
  proxy_abi_version_0_1_0: "0.1.0",
  proxy_abi_version_0_2_0: "0.2.0",
  proxy_abi_version_0_2_1: "0.2.1",
};

/** What host calls return. SDKs panic on numbers a call is not documented to return. */
export const STATUS = {
  ok: 0,
  notFound: 1,
  badArgument: 2,
  serializationFailure: 3,
  invalidMemory: 6,
  empty: 7,
  casMismatch: 8,
  internalFailure: 10,
} as const;

export const MAP = {
  requestHeaders: 0,
  requestTrailers: 1,
  responseHeaders: 2,
  responseTrailers: 3,
  grpcInitialMetadata: 4,
  grpcTrailingMetadata: 5,
  callHeaders: 6,
  callTrailers: 7,
} as const;

export const BUFFER = {
  requestBody: 0,
  responseBody: 1,
  downstreamData: 2,
  upstreamData: 3,
  callBody: 4,
  grpcMessage: 5,
  vmConfig: 6,
  pluginConfig: 7,
  foreign: 8,
} as const;

export const STREAM = { request: 0, response: 1, downstream: 2, upstream: 3 } as const;

export const METRIC = { counter: 0, gauge: 1, histogram: 2 } as const;

/** What a callback returns to go on; every other number holds the stream, as in Envoy. */
export const ACTION_CONTINUE = 0;
/** From a headers callback: this and every number above it stops head and body; see Envoy's StopAllIteration. */
export const ACTION_STOP_ALL = 3;

export const LOG_LEVELS = ["debug", "debug", "info", "warn", "error", "error"] as const;
