/** Tokens as Kubernetes projects them into pods, signed by a test's issuer. */
import type { JWTPayload } from "jose";
import type { TestIssuer } from "./issuer.ts";

export interface Pod {
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly uid?: string;
}

export function podClaims({ namespace = "shop", serviceAccount = "web", uid = "pod-1" }: Pod = {}) {
  return {
    aud: ["denim"],
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
    "kubernetes.io": {
      namespace,
      node: { name: "node-1", uid: "node-uid" },
      pod: { name: `${serviceAccount}-7d9f`, uid },
      serviceaccount: { name: serviceAccount, uid: "account-uid" },
    },
  };
}

export async function podToken(
  issuer: TestIssuer,
  pod: Pod = {},
  over: JWTPayload = {},
): Promise<string> {
  return await issuer.sign({ ...podClaims(pod), ...over });
}
