export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  registerRootContext,
  RootContext,
  send_http_response,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";

class Root extends RootContext {
  createContext(id: u32): Context {
    return new Exchange(id, this);
  }
}

class Exchange extends Context {
  constructor(id: u32, root: Root) {
    super(id, root);
  }

  onRequestHeaders(_count: u32, _end: bool): FilterHeadersStatusValues {
    if (stream_context.headers.request.get(":path") == "/teapot") {
      const body = String.UTF8.encode("I am a teapot\n");
      send_http_response(418, "", body, []);
      return FilterHeadersStatusValues.StopIteration;
    }
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(_count: u32, _end: bool): FilterHeadersStatusValues {
    stream_context.headers.response.replace("x-{{name}}", "hello");
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((id: u32) => new Root(id), "{{name}}");
