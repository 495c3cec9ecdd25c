/** h2spec against the listeners of a gateway: every strict case, none left out. */
import assert from "node:assert/strict";
import { Origin } from "../../support/origin.ts";
import { gateway, route, service, StandaloneProxy } from "../../support/standalone.ts";
import { PublicAuthority, tlsSecret } from "../../support/tls.ts";
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

/** An answer with a body: some cases play with its windows. */
const startOrigin = () => Origin.start({ answer: () => ({ body: "hello" }) });
const routes = (origin: Origin): unknown[] => [
  service("web", origin.address),
  route("web", { backendRefs: [{ name: "web", port: 80 }] }),
];

Deno.test({
  name: "A gateway passes h2spec on a plaintext listener, by prior knowledge",
  ignore: program === null,
  async fn() {
    await using origin = await startOrigin();
    await using proxy = await StandaloneProxy.start([gateway(), ...routes(origin)]);
    assertAll(await h2spec(program!, proxy.ready.listeners["http"]!));
  },
});

Deno.test({
  name: "A gateway passes h2spec on an HTTPS listener",
  ignore: program === null,
  async fn() {
    await using origin = await startOrigin();
    await using proxy = await StandaloneProxy.start([
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "Gateway",
        metadata: { name: "edge" },
        spec: {
          listeners: [{
            name: "https",
            port: 0,
            protocol: "HTTPS",
            tls: { certificateRefs: [{ name: "web" }] },
          }],
        },
      },
      tlsSecret("web", new PublicAuthority().issue("web.test")),
      ...routes(origin),
    ]);
    assertAll(await h2spec(program!, proxy.ready.listeners["https"]!, ["-t", "-k"]));
  },
});
