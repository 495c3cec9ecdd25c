/** Takes personal data out of JSON responses: the values of some fields, and e-mail addresses anywhere. */
import { defineFilter, flag, list, metrics, text } from "denim/filter";

const NAME = "redact@1.0.0";
const EMAIL = /[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}/g;

export default defineFilter({
  name: "redact",
  version: "1.0.0",
  config: {
    fields: list(text(), ["email", "phone", "password"]),
    emails: flag(true),
    mask: text("***"),
  },

  onRequest(request) {
    // The body must come readable; the proxy does not unpack it.
    request.headers.delete("accept-encoding");
  },

  onResponse(response) {
    response.headers.set("x-denim-filter", NAME);
  },

  onResponseBody(body, response, ctx) {
    if (!(response.headers.get("content-type") ?? "").includes("json")) return;
    const value = body.json();
    if (value === undefined) return;
    const { fields, emails, mask } = ctx.config;
    let count = 0;

    function clean(part: unknown): unknown {
      if (typeof part === "string") {
        // The expression is slow on long text, and most text has no address in it.
        if (!emails || !part.includes("@")) return part;
        return part.replace(EMAIL, () => (count++, mask));
      }
      if (Array.isArray(part)) return part.map(clean);
      if (typeof part !== "object" || part === null) return part;
      const kept: Record<string, unknown> = {};
      for (const [name, inner] of Object.entries(part)) {
        if (fields.includes(name)) {
          count++;
          kept[name] = mask;
        } else kept[name] = clean(inner);
      }
      return kept;
    }

    const cleaned = clean(value);
    if (count === 0) return;
    body.replaceJson(cleaned);
    response.headers.set("x-redacted", String(count));
    metrics.count("redacted_values", {}, count);
  },
});
