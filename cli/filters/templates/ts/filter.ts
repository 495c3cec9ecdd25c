import { defineFilter, text } from "denim/filter";

export default defineFilter({
  name: "{{name}}",
  version: "0.1.0",
  config: { greeting: text("hello") },

  onRequest(request, ctx) {
    if (request.pathname === "/teapot") return ctx.respond(418, "I am a teapot\n");
  },

  onResponse(response, ctx) {
    response.headers.set("x-{{name}}", ctx.config.greeting);
  },
});
