/** RequestAuthentication: whose tokens of end users are taken, and what becomes of them. */
import { z } from "zod";
import { ALGORITHM_NAMES } from "../../filters/jwt/algorithms.ts";
import { outputName } from "../../filters/jwt/config.ts";
import { parseObject } from "../../filters/jwt/json.ts";
import { type KeySet, readKeySet } from "../../filters/jwt/keys.ts";
import { JWT_LIMITS } from "../../filters/jwt/limits.ts";
import {
  DENIM_API,
  duration,
  durationMs,
  headerName,
  metadata,
  problem,
  show,
  targetRefOf,
  wanted,
} from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

/** Beyond it a token that has expired is simply taken. */
const MOST_SKEW = "5m";

const text = (what: string) =>
  z.string().min(1, wanted(what)).max(
    LIMITS.jwtChars,
    wanted(`at most ${LIMITS.jwtChars} characters`),
  );

const list = <T extends z.ZodType>(item: T, what: string) =>
  z.array(item).max(LIMITS.jwtEntries, { error: `holds more than ${LIMITS.jwtEntries} ${what}` });

/** A header only claims may fill: nothing that has a meaning of its own. */
const outputHeader = headerName.refine((name) => {
  try {
    outputName(name.toLowerCase(), "");
    return true;
  } catch {
    return false;
  }
}, wanted("a header that means nothing to proxies, such as x-user-id"));

/** Claim names, outermost first; a dot leads into a map. */
const claimPath = text("a claim such as sub, or account.plan for one within another").refine(
  (path) => path.split(".").every((name) => name !== ""),
  wanted("a claim such as sub, or account.plan for one within another"),
);

/** Names of query parameters and cookies as they stand on the wire. */
const plainName = z.string().regex(
  /^[A-Za-z0-9_.~-]{1,256}$/,
  wanted("a name of letters, digits and . _ ~ -"),
);

/** The keys themselves: a JWK set as JSON text (as Istio has it) or as a map. */
const jwks = z.json().check((ctx) => {
  const set = inlineKeys(ctx.value);
  if (set === null) {
    return problem(
      ctx,
      [],
      // The value is not shown: who pastes the wrong thing here may paste a secret.
      `is no JWK set; wanted {keys: [...]} with at most ${JWT_LIMITS.keys} keys`,
    );
  }
  for (const refused of set.refused) problem(ctx, [], `holds a key to leave out: ${refused}`);
  if (set.keys.length + set.refused.length === 0) problem(ctx, [], "holds no key");
});

const encoder = new TextEncoder();

/** What a rule's `jwks` holds; null when it is no key set. */
export function inlineKeys(jwks: unknown): KeySet | null {
  return readKeySet(typeof jwks === "string" ? parseObject(encoder.encode(jwks)) : jwks);
}

const jwksUri = z.string().max(LIMITS.jwtChars).check((ctx) => {
  const { value } = ctx;
  const url = URL.parse(value);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    return problem(
      ctx,
      [],
      `is ${show(value)}, wanted a URL such as "https://issuer.example/keys"`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    problem(ctx, [], "holds a password, which everybody who reads this resource would see");
  }
  if (url.hash !== "") problem(ctx, [], "has a fragment, which is never sent");
});

const rule = z.strictObject({
  /** Exactly the `iss` of its tokens. */
  issuer: text("the iss of the tokens, such as https://issuer.example"),
  /** A token has to be for one of these; without, it could be one for somebody else. */
  audiences: list(text("an audience"), "audiences")
    .min(1, { error: "is empty, wanted at least one audience: a token for others is not for you" }),
  jwks: jwks.optional(),
  /** Fetched by the control plane, for all proxies. */
  jwksUri: jwksUri.optional(),
  /** Absent, with the two after it: the Authorization header, scheme Bearer. */
  fromHeaders: list(
    z.strictObject({ name: headerName, prefix: z.string().max(64).optional() }),
    "headers",
  )
    .optional(),
  fromParams: list(plainName, "parameters").optional(),
  fromCookies: list(plainName, "cookies").optional(),
  outputClaimToHeaders: list(z.strictObject({ header: outputHeader, claim: claimPath }), "headers")
    .optional(),
  /** Gets the payload, base64url. */
  outputPayloadToHeader: outputHeader.optional(),
  /** Absent: the upstream does not get the token. */
  forwardOriginalToken: z.boolean().optional(),
  /** Absent: all of them; the key decides which one its tokens have. */
  algorithms: z.array(z.enum(ALGORITHM_NAMES))
    .min(1, { error: "is empty, wanted algorithms, or no such field for all that are safe" })
    .optional(),
  /** How far clocks may be apart; absent: 1m. */
  clockSkew: duration.refine(
    (value) => durationMs(value) <= durationMs(MOST_SKEW),
    wanted(`at most ${MOST_SKEW}`),
  ).optional(),
}).check((ctx) => {
  const { jwks, jwksUri, issuer } = ctx.value;
  if (jwks !== undefined && jwksUri !== undefined) {
    problem(ctx, ["jwks"], "is there beside jwksUri; keep one of them");
  }
  if (jwks === undefined && jwksUri === undefined) {
    problem(
      ctx,
      ["jwksUri"],
      "is missing, wanted where the issuer publishes its keys (jwks_uri in " +
        `${issuer}/.well-known/openid-configuration), or the keys in jwks`,
    );
  }
});

export const requestAuthentication = z.strictObject({
  apiVersion: z.literal(DENIM_API),
  kind: z.literal("RequestAuthentication"),
  metadata,
  spec: z.strictObject({
    /**
     * Service: what its sidecars take in. Gateway: every route of its listeners. Absent: what every
     * sidecar of the namespace takes in; in `denim-system`, of the mesh.
     */
    targetRefs: z.array(targetRefOf(["Service", "Gateway"]))
      .min(1, { error: "is empty; leave it out for the whole namespace" })
      .max(LIMITS.targetRefs, { error: `holds more than ${LIMITS.targetRefs} targets` }).optional(),
    jwtRules: z.array(rule)
      .min(1, { error: "is empty, wanted the issuers whose tokens are taken" })
      .max(LIMITS.jwtRules, { error: `holds more than ${LIMITS.jwtRules} rules` }),
    /** Requests without a token of these rules get 401. Absent: they pass, as nobody. */
    required: z.boolean().optional(),
  }),
});

export type RequestAuthentication = z.infer<typeof requestAuthentication>;
export type JwtRule = z.infer<typeof rule>;
