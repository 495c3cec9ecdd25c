/** h2spec against the listeners of a gateway: every strict case, none left out. */
import assert from "node:assert/strict";
import { Origin } from "../../support/origin.ts";
import { gateway, route, service, StandaloneProxy } from "../../support/standalone.ts";
import { findH2spec, h2spec, type Verdict } from "./h2spec.ts";

/** All there are in its generic, http2 and hpack suites. */
const CASES = 146;

const program = await findH2spec();
if (program === null) {
  console.log(
    "skipped: h2spec is not installed: go install github.com/summerwind/h2spec/cmd/h2spec@latest",
  );
}

function assertAll({ passed, skipped, failed, text }: Verdict): void {
  assert.deepEqual({ passed, skipped, failed }, { passed: CASES, skipped: 0, failed: 0 }, text);
}

Deno.test({
  name: "A gateway passes h2spec on a plaintext listener, by prior knowledge",
  ignore: program === null,
  async fn() {
    // Some cases play with the windows of an answer, so there must be one with a body.
    await using origin = await Origin.start({ answer: () => ({ body: "hello" }) });
    await using proxy = await StandaloneProxy.start([
      gateway(),
      service("web", origin.address),
      route("web", { backendRefs: [{ name: "web", port: 80 }] }),
    ]);
    assertAll(await h2spec(program!, proxy.ready.listeners["http"]!));
  },
});
