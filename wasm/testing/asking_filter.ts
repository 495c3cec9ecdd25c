/** A filter that asks others, as a test says in the header `x-do`; built once for all tests of the host. */
import { defineFilter, kv } from "denim/filter";

async function status(path: string): Promise<number> {
  return (await fetch(`http://auth${path}`)).status;
}

export default defineFilter({
  name: "asking",
  version: "1.0.0",
  maxBody: 1000,

  async onRequest(request, ctx) {
    const { headers } = request;
    switch (headers.get("x-do")) {
      case "check": {
        const answer = await fetch("http://auth/check?a=1", {
          method: "POST",
          headers: { "X-From": request.path },
          body: "grün",
        });
        if (!answer.ok) return ctx.respond(403, `${answer.status} ${await answer.text()}`);
        headers.set("x-user", answer.headers.get("x-user") ?? "");
        headers.set("x-json", (await answer.json()).name);
        return;
      }
      case "twice":
        headers.set("x-seen", `${await status("/one")} ${await status("/two")}`);
        return;
      case "together": {
        const all = await Promise.allSettled([status("/one"), status("/two"), status("/three")]);
        headers.set("x-seen", all.map((one) => one.status).join(" "));
        return;
      }
      case "forget":
        fetch("http://auth/forget");
        return;
      case "catch":
        try {
          await fetch("http://auth/", { signal: AbortSignal.timeout(20) });
        } catch (error) {
          headers.set("x-error", `${(error as Error).name}: ${(error as Error).message}`);
        }
        return;
      case "stranger":
        await fetch("http://nobody/");
        return;
      case "loop": {
        let sum = 0;
        for (let i = 0; i < 2000; i++) sum += i;
        headers.set("x-first", String(ctx.fuelLeft));
        await status("/");
        headers.set("x-left", String(ctx.fuelLeft));
        headers.set("x-sum", String(sum));
        return;
      }
      case "spin":
        await status("/");
        for (;;);
      case "never":
        await new Promise(() => {});
        return;
      case "kv":
        headers.set("x-count", String(kv.increment("count")));
        return;
      default:
        return;
    }
  },

  async onRequestBody(body, request) {
    if (!body.text().startsWith("ask:")) return;
    const answer = await fetch("http://auth/body", { method: "PUT", body: body.bytes });
    request.headers.set("x-body", String(answer.status));
    body.replace(await answer.bytes());
  },

  async onResponse(response) {
    if (!response.headers.has("x-ask")) return;
    response.status = await status("/response");
  },
});
