/** Reads one request header, adds one request header and one response header. */
import { defineFilter } from "denim/filter";

export default defineFilter({
  name: "bench",
  version: "1.0.0",
  config: {},
  onRequest(request) {
    request.headers.append("x-bench", request.headers.get("user-agent") ?? "");
  },
  onResponse(response) {
    response.headers.append("x-bench", "on");
  },
});
