/**
 * One test of a rule, compiled. Where a request can be read in more than one way (a field sent twice, a path
 * with parameters), a test that lets in holds only if every reading fits, one that refuses if any does.
 */
import { claimAt } from "../../core/claims.ts";
import type { AuthzTest, TestKey } from "./config.ts";
import type { Facts } from "./facts.ts";
import { type Ip, Networks } from "./networks.ts";
import { PathPattern, type Pattern, TextPattern } from "./patterns.ts";

export interface Test {
  holds(facts: Facts): boolean;
}

/** Keys that are known of a connection, before anything came through it. */
const OF_CONNECTIONS: ReadonlySet<TestKey> = new Set([
  "identity",
  "namespace",
  "service-account",
  "ip",
  "remote-ip",
  "port",
]);

export function isOfConnections({ key }: AuthzTest): boolean {
  return OF_CONNECTIONS.has(key);
}

/** Cheap tests first: rules fail by them before dear ones are asked. */
const COST: Readonly<Partial<Record<TestKey, number>>> = {
  method: 0,
  path: 1,
  "request-principal": 2,
  host: 3,
  ip: 4,
  header: 5,
  "remote-ip": 6,
};

export function byCost(a: AuthzTest, b: AuthzTest): number {
  return (COST[a.key] ?? 9) - (COST[b.key] ?? 9);
}

/** `letsIn`: of a rule that allows. Keys of the peer's identity and the port are decided elsewhere. */
export function compileTest(test: AuthzTest, letsIn: boolean): Test {
  const positive = compilePositive(test, letsIn !== test.not);
  return test.not ? { holds: (facts) => !positive.holds(facts) } : positive;
}

/** `all`: every reading must fit. */
function compilePositive({ key, name, path, values }: AuthzTest, all: boolean): Test {
  switch (key) {
    case "method":
      return textTest(values, (facts) => facts.method);
    case "path":
      return pathTest(new PathPattern(values), all);
    case "host":
      return hostTest(values);
    case "request-principal":
      return textTest(values, (facts) => facts.principal);
    case "ip":
      return networkTest(values, (facts) => facts.ip);
    case "remote-ip":
      return networkTest(values, (facts) => facts.remoteIp);
    case "header":
      return headerTest(name, new TextPattern(values), all);
    case "audience":
      return claimTest(["aud"], values);
    case "presenter":
      return claimTest(["azp"], values);
    case "claim":
      return claimTest(path, values);
    default:
      throw new Error(`Cannot compile authz: "${key}" is no test of a request`);
  }
}

function textTest(values: readonly string[], of: (facts: Facts) => string): Test {
  const pattern = new TextPattern(values);
  return { holds: (facts) => pattern.fits(of(facts)) };
}

function pathTest(pattern: PathPattern, all: boolean): Test {
  return {
    holds({ path, otherPath }) {
      const fits = pattern.fits(path);
      if (otherPath === "" || fits !== all) return fits;
      return pattern.fits(otherPath);
    },
  };
}

/** Values with a port are compared with host and port, others with the host alone. */
function hostTest(values: readonly string[]): Test {
  const lower = values.map((value) => value.toLowerCase());
  const hosts = new TextPattern(lower.filter((value) => !hasPort(value)));
  const ports = lower.filter(hasPort);
  if (ports.length === 0) return { holds: (facts) => hosts.fits(facts.host) };
  const withPorts = new TextPattern(ports);
  return { holds: (facts) => hosts.fits(facts.host) || withPorts.fits(facts.hostPort) };
}

export function hasPort(host: string): boolean {
  return host.lastIndexOf(":") > host.lastIndexOf("]");
}

function networkTest(values: readonly string[], of: (facts: Facts) => Ip | null): Test {
  const networks = new Networks(values);
  return {
    holds(facts) {
      const ip = of(facts);
      return ip !== null && networks.has(ip);
    },
  };
}

/** Line by line, never joined: a second line must not hide the first. */
function headerTest(name: string, pattern: Pattern, all: boolean): Test {
  return {
    holds(facts) {
      const values = facts.header(name);
      for (let i = 0; i < values.length; i++) {
        const fits = pattern.fits(values[i]!);
        if (fits !== all) return fits;
      }
      return all && values.length > 0;
    },
  };
}

/** A text, number or boolean, or a list of which one must fit. */
function claimTest(path: readonly string[], values: readonly string[]): Test {
  const pattern = new TextPattern(values);
  return {
    holds({ claims }) {
      if (claims === null) return false;
      const value = claimAt(claims.values, path);
      if (!Array.isArray(value)) return pattern.fits(claimText(value));
      for (let i = 0; i < value.length; i++) if (pattern.fits(claimText(value[i]))) return true;
      return false;
    },
  };
}

/** A claim as policies write it; "" for what cannot be compared. */
export function claimText(value: unknown): string {
  return typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : "";
}
