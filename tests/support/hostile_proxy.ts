/** A program of its own: the proxy with every hostile filter, each failing closed on a route; says where it listens, ends with its stdin. */
import { filterSpec, route, start } from "./filter_rig.ts";
import { HOSTILE } from "./hostile_modules.ts";

if (import.meta.main) {
  const hostile = await Promise.all(
    Object.values(HOSTILE).map(async ({ body, wat }, i) =>
      route(`/h${i}/`, await filterSpec(`h${i}`, body, "closed", wat))
    ),
  );
  await using rig = await start([...hostile, route("/plain")]);
  console.log(rig.url);
  for await (const _ of Deno.stdin.readable) {
    // Nothing is said; only the end counts.
  }
}
