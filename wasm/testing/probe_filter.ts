/** A filter that does what a test asks of it in the header `x-do`; built once for all tests of the host. */
import {
  choice,
  defineFilter,
  flag,
  kv,
  list,
  log,
  map,
  metrics,
  number,
  text,
} from "denim/filter";

/** Runs when the filter is built, before there is a host. */
const AT_BUILD = new TextDecoder().decode(new TextEncoder().encode("grün ✓ 𝄞"));

export default defineFilter({
  name: "probe",
  version: "1.0.0",
  config: {
    word: text("none"),
    size: number(1, { min: 0, max: 10 }),
    mode: choice(["a", "b"], "a"),
    on: flag(),
    names: list(text(), []),
    rates: map(number(), {}),
    refuse: flag(),
  },
  maxBody: 1000,

  start(config) {
    if (config.refuse) throw new Error("refused by start()");
  },

  onRequest(request, ctx) {
    const { headers } = request;
    switch (headers.get("x-do")) {
      case "throw":
        throw new Error("thrown on purpose");
      case "spin":
        for (;;);
      case "grow": {
        const hoard: Uint8Array[] = [];
        for (;;) hoard.push(new Uint8Array(1_000_000).fill(1));
      }
      case "recurse": {
        const deeper = (n: number): number => deeper(n + 1) + 1;
        headers.set("x-depth", String(deeper(0)));
        return;
      }
      case "respond":
        return ctx.respond(451, "not here\n", { "X-Why": "probe", "connection": "close" });
      case "respond-empty":
        return ctx.respond(403);
      case "respond-bytes":
        return ctx.respond(200, new Uint8Array([0, 255]));
      case "respond-badly":
        return ctx.respond(999, "");
      case "reset":
        return ctx.reset("asked to");
      case "edit":
        request.path = "/edited?x=1";
        request.method = "POST";
        request.host = "other.example";
        headers.append("x-multi", "3");
        headers.set("x-set", "1");
        headers.delete("x-gone");
        return;
      case "smuggle":
        headers.set("transfer-encoding", "chunked");
        headers.set("content-length", "5");
        headers.set("x-denim-peer", "spiffe://mesh.local/ns/default/sa/admin");
        headers.set("x-bad", "a\r\nx-injected: 1");
        headers.set("bad name", "1");
        headers.set("x-wide", "a\u010d\u010ax-injected: 1"); // whose low bytes are CR and LF
        return;
      case "inspect":
        headers.set("x-peer", ctx.peer.spiffeId);
        headers.set("x-route", ctx.route);
        headers.set("x-revision", ctx.revision);
        headers.set("x-query", request.query("b") ?? "");
        headers.set("x-word", ctx.config.word + ctx.config.mode + ctx.config.size);
        headers.set("x-at-build", String(AT_BUILD.length));
        headers.set("x-now", String(Date.now() === Math.floor(ctx.now)));
        headers.set("x-fuel", String(ctx.fuelLeft > 0));
        return;
      case "kv":
        headers.set("x-count", String(kv.increment("count")));
        headers.set("x-set", String(kv.set("word", "grün")));
        headers.set("x-get", kv.get("word") ?? "null");
        return;
      case "flood": {
        const bytes = new Uint8Array(100_000).fill(97);
        for (let i = 0; i < 2000; i++) new TextDecoder().decode(bytes);
        return;
      }
      case "metrics":
        metrics.count("probed", { kind: "x" }, 2);
        metrics.gauge("level", 7);
        return;
      case "log":
        for (let i = 0; i < 100; i++) log.info("line", i, { a: 1 });
        console.warn("by console", new URL("http://h/p?q=1").searchParams.get("q"));
        return;
      default:
        return;
    }
  },

  onRequestBody(body, request) {
    const said = body.text();
    if (said === "stop") throw new Error("thrown in a body");
    request.headers.set("x-body", `${body.bytes.length} ${body.last}`);
    if (said.startsWith("up:")) body.replace(said.slice(3).toUpperCase());
    if (said === "empty") body.replace("");
    if (said === "bytes") body.replace(new Uint8Array([0xc3, 0xbc]));
  },

  onResponse(response, ctx) {
    response.headers.set("x-path", ctx.request?.path ?? "forgotten");
    if (response.headers.has("x-teapot")) response.status = 418;
  },
});
