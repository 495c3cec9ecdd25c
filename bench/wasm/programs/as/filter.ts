// Reads one request header, adds one request header and one response header.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  registerRootContext,
  RootContext,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";

class Root extends RootContext {
  createContext(id: u32): Context {
    return new Exchange(id, this);
  }
}

class Exchange extends Context {
  onRequestHeaders(_count: u32, _end: bool): FilterHeadersStatusValues {
    const request = stream_context.headers.request;
    request.add("x-bench", request.get("user-agent"));
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(_count: u32, _end: bool): FilterHeadersStatusValues {
    stream_context.headers.response.add("x-bench", "on");
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((id: u32) => new Root(id), "");
