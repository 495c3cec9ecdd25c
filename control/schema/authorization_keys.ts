/** The keys of conditions (`when`) in an AuthorizationPolicy, and what they stand for. */
import { z } from "zod";
import type { TestKey } from "../../filters/authz/config.ts";
import { wanted } from "./common.ts";

/** What a condition looks at, as a proxy is told. */
export type ConditionSubject =
  | { readonly key: "header"; readonly name: string }
  | { readonly key: "claim"; readonly path: readonly string[] }
  | { readonly key: Exclude<TestKey, "header" | "claim" | "host" | "method" | "path"> };

const PLAIN: Readonly<Record<string, ConditionSubject>> = {
  "source.ip": { key: "ip" },
  "remote.ip": { key: "remote-ip" },
  "source.principal": { key: "identity" },
  "source.namespace": { key: "namespace" },
  "source.serviceAccount": { key: "service-account" },
  "request.auth.principal": { key: "request-principal" },
  "request.auth.audiences": { key: "audience" },
  "request.auth.presenter": { key: "presenter" },
  "destination.port": { key: "port" },
};

const HEADER = /^request\.headers\[([A-Za-z0-9!#$%&'*+\-.^_|~`]{1,256})\]$/;
/** `request.auth.claims[a][b]`, names as they are; or `request.auth.claims.a.b`. */
const CLAIM = /^request\.auth\.claims((\[[^\][]{1,256}\]){1,8}|(\.[^.\][\s]{1,256}){1,8})$/;

export const conditionKey = z.string().refine(
  (key) => subjectOf(key) !== null,
  wanted(
    `one of ${Object.keys(PLAIN).join(", ")}, request.headers[NAME], ` +
      "request.auth.claims[NAME][NAME] or request.auth.claims.NAME.NAME " +
      "(a host is one of an operation's hosts)",
  ),
);

/** What a key stands for; null for an unknown one. */
export function subjectOf(key: string): ConditionSubject | null {
  if (Object.hasOwn(PLAIN, key)) return PLAIN[key]!;
  const header = HEADER.exec(key)?.[1]?.toLowerCase();
  // The host is no field where policies look: it is the request's authority.
  if (header !== undefined) return header === "host" ? null : { key: "header", name: header };
  const claim = CLAIM.exec(key)?.[1];
  if (claim === undefined) return null;
  const path = claim.startsWith("[") ? claim.slice(1, -1).split("][") : claim.slice(1).split(".");
  return { key: "claim", path };
}
