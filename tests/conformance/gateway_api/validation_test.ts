import { deepStrictEqual as same, ok, strictEqual as equal } from "node:assert/strict";
import { parseDocuments } from "../../../control/schema/parse.ts";
import { GRPC_ROUTE_CASES } from "./grpc_cases.ts";
import {
  GATEWAY_CASES,
  HTTP_ROUTE_CASES,
  REFERENCE_GRANT_CASES,
  type ValidationCase,
} from "./validation_cases.ts";

const KINDS: Record<string, readonly ValidationCase[]> = {
  HTTPRoute: HTTP_ROUTE_CASES,
  GRPCRoute: GRPC_ROUTE_CASES,
  Gateway: GATEWAY_CASES,
  ReferenceGrant: REFERENCE_GRANT_CASES,
};

for (const [kind, cases] of Object.entries(KINDS)) {
  for (const { rule, spec, at } of cases) {
    Deno.test(`Gateway API ${kind} ${at === null ? "accepts" : "refuses"}: ${rule}`, () => {
      const { resources, errors } = parseDocuments([{
        apiVersion: "gateway.networking.k8s.io/v1",
        kind,
        metadata: { name: "case" },
        spec,
      }]);
      if (at === null) {
        same(errors, []);
        same((resources[0] as { spec?: unknown }).spec, spec, "what was written is what is kept");
        return;
      }
      equal(resources.length, 0);
      equal(errors[0]?.path, `spec.${at}`, JSON.stringify(errors));
      equal(errors[0]?.resource, `${kind} default/case`);
      ok(errors[0].message.length > 10);
    });
  }
}
