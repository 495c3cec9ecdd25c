/** `denim control --oidc FILE`: whose tokens are believed, and which of their claims gives which role. */
import { parse } from "yaml";
import { z } from "zod";
import { ROLES } from "../access/roles.ts";
import { urlProblem } from "../jwks/fetch_json.ts";
import { check } from "../schema/problems.ts";

/** Address of an issuer, or of something of its. */
export const url = z.string().superRefine((text, c) => {
  const problem = urlProblem(text);
  if (problem !== null) c.addIssue({ code: "custom", message: problem });
});

const loginSchema = z.strictObject({
  /** Client registered at the issuer; its ID tokens have this audience. */
  clientId: z.string().min(1).max(256),
  /** File with its secret; absent for a public client, which PKCE protects alone. */
  clientSecretFile: z.string().optional(),
  /** Where browsers reach these pages; the issuer sends them back to `<url>/login/callback`. */
  url,
  scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/)).min(1).default([
    "openid",
    "profile",
    "email",
  ]),
  /** How long a browser stays signed in. */
  sessionHours: z.number().positive().max(24).default(8),
});

export const oidcSchema = z.strictObject({
  issuer: url,
  /** What tokens of programs and of `denim` must be made for. */
  audience: z.string().min(1).max(256),
  /** Claim that names roles: a string or a list of them; `realm_access.roles` is one inside another. */
  roleClaim: z.string().min(1).max(256).default("groups"),
  /** Role by value of that claim. */
  roles: z.record(z.string().min(1).max(256), z.enum(ROLES)).refine(
    (roles) => Object.keys(roles).length > 0,
    "wanted at least one, or nobody may do anything",
  ),
  /** Claim that names people in history and audit log. */
  nameClaim: z.string().min(1).max(256).default("sub"),
  /** PEM file of authorities that vouch for the issuer, beside those of the system. */
  caFile: z.string().optional(),
  login: loginSchema.optional(),
});

export type OidcConfig = z.infer<typeof oidcSchema>;
export type LoginConfig = z.infer<typeof loginSchema>;

export async function readOidcConfig(file: string): Promise<OidcConfig> {
  return await readConfigFile(file, oidcSchema);
}

/** Rejects with a sentence that names file and field. */
export async function readConfigFile<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  const text = await Deno.readTextFile(file).catch((error: unknown) => {
    throw new Error(`Cannot read "${file}": ${error instanceof Error ? error.message : error}`);
  });
  return readConfig(file, schema, text);
}

/** Checks the text of a file against its schema. */
export function readConfig<T>(file: string, schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    throw new Error(`Cannot use "${file}": ${error instanceof Error ? error.message : error}`);
  }
  const result = check(schema, value);
  if (result.ok) return result.value;
  const problems = result.problems.map(({ path, message }) => `  ${path} ${message}`);
  throw new Error([`Cannot use "${file}":`, ...problems].join("\n"));
}
