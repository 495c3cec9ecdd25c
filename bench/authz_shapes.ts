/** A thousand policies of one shape each, and the exchange that is judged by them. */
import { principalOf } from "../core/claims.ts";
import { Fields } from "../core/fields.ts";
import { FakeContext } from "../filters/fakes.ts";

export interface Shape {
  readonly what: string;
  readonly action: "ALLOW" | "DENY";
  /** The nth policy's only rule, on the wire. */
  readonly rule: (n: number) => Rule;
}

interface Test {
  readonly key: string;
  readonly name?: string;
  readonly path?: readonly string[];
  readonly values: readonly string[];
}
interface Rule {
  readonly from?: readonly (readonly Test[])[];
  readonly to?: readonly (readonly Test[])[];
  readonly when?: readonly Test[];
}

const idOf = (n: number): string => `spiffe://mesh.local/ns/team-${n % 40}/sa/service-${n}`;
const identity = (n: number): Test => ({ key: "identity", values: [idOf(n)] });
const path = (n: number): Test => ({ key: "path", values: [`/api-${n}/*`] });
const network = (n: number): string => `10.${n >> 8}.${n & 255}.0/24`;

/** The exchange fits the policy in the middle, and where that would refuse, none. */
export const SHAPES: readonly Shape[] = [
  { what: "identities", action: "ALLOW", rule: (n) => ({ from: [[identity(n)]] }) },
  {
    what: "identities, each with its path and method",
    action: "ALLOW",
    rule: (n) => ({
      from: [[identity(n)]],
      to: [[{ key: "method", values: ["GET"] }, path(n)]],
    }),
  },
  {
    what: "paths of one caller",
    action: "ALLOW",
    rule: (n) => ({ from: [[identity(500)]], to: [[path(n)]] }),
  },
  { what: "paths", action: "DENY", rule: (n) => ({ to: [[path(n + 1000)]] }) },
  {
    what: "gRPC methods",
    action: "DENY",
    rule: (n) => ({ to: [[{ key: "path", values: [`/shop.Service${n}/Call`] }]] }),
  },
  {
    what: "hosts",
    action: "DENY",
    rule: (n) => ({ to: [[{ key: "host", values: [`shop-${n}.example`] }]] }),
  },
  {
    what: "end users",
    action: "ALLOW",
    rule: (n) => ({
      from: [[{ key: "request-principal", values: [`https://id.example/user-${n}`] }]],
    }),
  },
  {
    what: "groups of end users",
    action: "ALLOW",
    rule: (n) => ({ when: [{ key: "claim", path: ["groups"], values: [`group-${n}`] }] }),
  },
  {
    what: "values of a header",
    action: "DENY",
    rule: (n) => ({ when: [{ key: "header", name: "x-tenant", values: [`tenant-${n + 1000}`] }] }),
  },
  {
    what: "networks",
    action: "DENY",
    rule: (n) => ({ from: [[{ key: "ip", values: [network(n + 1000)] }]] }),
  },
  {
    what: "beginnings of identities",
    action: "ALLOW",
    rule: (n) => ({ from: [[{ key: "identity", values: [`${idOf(n).slice(0, -1)}*`] }]] }),
  },
  {
    what: "ends of paths",
    action: "DENY",
    rule: (n) => ({ to: [[{ key: "path", values: [`*.ext-${n}`] }]] }),
  },
  {
    what: "beginnings of a header",
    action: "DENY",
    rule: (n) => ({ when: [{ key: "header", name: "x-tenant", values: [`other-${n}-*`] }] }),
  },
];

export function configOf({ action, rule }: Shape, count: number): unknown {
  return {
    trustDomain: "mesh.local",
    ports: [80],
    policies: Array.from({ length: count }, (_, n) => ({
      name: `default/p${n}`,
      action,
      rules: [{ from: [], to: [], when: [], ...rule(n) }],
    })),
  };
}

/** Twelve fields, and a path that is a string of its own, as one that was just read is. */
export function exchange(n: number): FakeContext {
  const ctx = new FakeContext("GET", `/api-500/items/${n}?page=2`, "shop.example");
  ctx.peer = idOf(500);
  ctx.remote = "10.1.2.3:40000";
  const lines = Array.from({ length: 10 }, (_, at) => [`x-header-${at}`, `value ${at}`]).flat();
  ctx.request.fields = new Fields([...lines, "x-tenant", "tenant-500", "accept", "*/*"]);
  const values = {
    iss: "https://id.example",
    sub: "user-500",
    groups: ["staff", "group-500", "readers"],
  };
  ctx.claims = { principal: principalOf(values), values };
  return ctx;
}
