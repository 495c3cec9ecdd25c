/** Builds what interop_test.ts runs; `deno task conformance grpc` begins with it. */
import { build } from "./interop.ts";

try {
  await build();
} catch (e) {
  console.error(e instanceof Error ? e.message : String(e));
  Deno.exit(1);
}
