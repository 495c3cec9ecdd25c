/** Fetches what certificates_test.ts reads; `deno task conformance signatures` begins with it. */
import { download } from "./wycheproof.ts";

try {
  await download();
} catch (e) {
  console.error(e instanceof Error ? e.message : String(e));
  Deno.exit(1);
}
