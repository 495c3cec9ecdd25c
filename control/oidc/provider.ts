/** An OpenID Connect issuer: found by discovery, its tokens verified, their claims turned into roles. */
import type { JWTPayload } from "jose";
import { z } from "zod";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Principal, Role } from "../access/roles.ts";
import { fetchBytes, fetchJson } from "../jwks/fetch_json.ts";
import { IssuerKeys } from "../jwks/issuer_keys.ts";
import { type Verified, verifyJwt } from "../jwks/verify.ts";
import type { OidcConfig } from "./config.ts";

/** What is read of the issuer's description (OpenID Connect Discovery 1.0, 3). */
const metadataSchema = z.object({
  issuer: z.string(),
  jwks_uri: z.string(),
  authorization_endpoint: z.string().optional(),
  token_endpoint: z.string().optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
});
export type Metadata = z.infer<typeof metadataSchema>;

const METADATA_AGE_MS = 60 * 60_000;
const MAX_NAME_CHARS = 100;

export interface ProviderOptions {
  readonly config: OidcConfig;
  readonly caPem?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export type Recognised =
  | { readonly ok: true; readonly principal: Principal }
  | Extract<Verified, { ok: false }>;

export class Provider {
  readonly config: OidcConfig;
  readonly caPem: string | undefined;
  readonly #clock: Clock;
  readonly #keys: IssuerKeys;
  #metadata: { readonly value: Metadata; readonly atMs: number } | null = null;

  constructor({ config, caPem, clock, log }: ProviderOptions) {
    this.config = config;
    this.caPem = caPem;
    this.#clock = clock;
    this.#keys = new IssuerKeys({
      issuer: config.issuer,
      load: async () => await fetchBytes((await this.metadata()).jwks_uri, { caPem }),
      clock,
      log,
    });
  }

  /** Rejects when the issuer does not answer, or answers for somebody else. */
  async metadata(): Promise<Metadata> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#metadata !== null && nowMs - this.#metadata.atMs < METADATA_AGE_MS) {
      return this.#metadata.value;
    }
    const { issuer } = this.config;
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const read = metadataSchema.safeParse(await fetchJson(url, { caPem: this.caPem }));
    if (!read.success) throw new Error(`"${url}" is no description of an OpenID Connect issuer`);
    // Discovery 4.3: must be exactly the issuer that was asked.
    if (read.data.issuer !== issuer) {
      throw new Error(`"${url}" describes the issuer "${read.data.issuer}", wanted "${issuer}"`);
    }
    this.#metadata = { value: read.data, atMs: nowMs };
    return read.data;
  }

  /** A token somebody calls with. */
  async recognise(token: string): Promise<Recognised> {
    const verified = await this.verify(token, this.config.audience);
    if (!verified.ok) return verified;
    return { ok: true, principal: principalOf(verified.claims, this.config, "oidc") };
  }

  async verify(token: string, audience: string): Promise<Verified> {
    const { issuer } = this.config;
    const nowMs = this.#clock.nowMs();
    return await verifyJwt(token, { issuer, audience: [audience], keys: this.#keys, nowMs });
  }
}

/** Whom claims are about, and the roles they give: none for somebody without a value that is mapped. */
export function principalOf(
  claims: JWTPayload & { readonly sub: string },
  { nameClaim, roleClaim, roles }: Pick<OidcConfig, "nameClaim" | "roleClaim" | "roles">,
  proof: "oidc" | "session",
): Principal {
  const named = claims[nameClaim];
  // Some issuers let people write any address into their profile.
  const isProved = nameClaim !== "email" || claims["email_verified"] !== false;
  const name = typeof named === "string" && named !== "" && isProved ? named : claims.sub;
  const held = new Set<Role>();
  for (const value of valuesOf(claims, roleClaim)) {
    if (Object.hasOwn(roles, value)) held.add(roles[value]!);
  }
  return { name: name.slice(0, MAX_NAME_CHARS), proof, roles: [...held] };
}

/** A claim of that very name, else one inside another; a string counts as a list of one. */
function valuesOf(claims: JWTPayload, path: string): readonly string[] {
  let value: unknown = claims;
  const steps = Object.hasOwn(claims, path) ? [path] : path.split(".");
  for (const step of steps) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return [];
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  const values = Array.isArray(value) ? value : [value];
  return values.filter((one) => typeof one === "string");
}
