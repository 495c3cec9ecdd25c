/** The reviews app: star ratings per product. VERSION=v1 rounds to whole stars, v2 knows halves. */
import { json, serve } from "./serve.ts";

const version = Deno.env.get("VERSION") ?? "v1";
/** An answer may be delayed on demand, up to this long, to see a timeout at work. */
const MAX_DELAY_MS = 60_000;

const STARS: Readonly<Record<string, number>> = {
  "selvedge-jacket": 4.5,
  "raw-jeans": 4.8,
  "indigo-shirt": 3.6,
};

/** With personal data in it, so that a filter has something to redact. */
const REVIEWS = [
  {
    product: "raw-jeans",
    reviewer: "Ada",
    email: "ada@example.com",
    text: "Break them in yourself.",
  },
  { product: "indigo-shirt", reviewer: "Lin", email: "lin@example.com", text: "Fades with grace." },
];

serve({
  name: `reviews-${version}`,
  answer: async (request, url) => {
    const delayMs = Number(request.headers.get("x-demo-delay-ms") ?? "0");
    if (delayMs > 0) await sleep(Math.min(delayMs, MAX_DELAY_MS), request.signal);
    if (url.pathname === "/reviews") {
      return json(200, { service: "reviews", version, reviews: REVIEWS });
    }
    if (url.pathname !== "/stars") return json(404, { error: `No such path "${url.pathname}"` });
    const stars = Object.fromEntries(
      Object.entries(STARS).map((
        [id, value],
      ) => [id, version === "v1" ? Math.round(value) : value]),
    );
    return json(200, { service: "reviews", version, stars });
  },
});

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
