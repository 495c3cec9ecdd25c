/**
 * What a verified token says of the end user behind a request. The filter that verifies tokens puts it on
 * the exchange (`FilterContext.claims`); policies that come after it in the chain read it there.
 */

/** One token, whose signature, issuer, audience and dates have been verified. Never changed afterwards. */
export interface Claims {
  /** `iss/sub` (RFC 7519 4.1.1, 4.1.2), the way policies name an end user. */
  readonly principal: string;
  /** The whole payload as JSON has it. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** `iss/sub`; "" when either is missing: half a name is nobody's. */
export function principalOf(values: Readonly<Record<string, unknown>>): string {
  const iss = claimAt(values, ["iss"]), sub = claimAt(values, ["sub"]);
  if (typeof iss !== "string" || typeof sub !== "string" || iss === "" || sub === "") return "";
  return `${iss}/${sub}`;
}

/** The claim at a path of member names, outermost first; undefined where there is none. */
export function claimAt(
  values: Readonly<Record<string, unknown>>,
  path: readonly string[],
): unknown {
  let at: unknown = values;
  for (const name of path) {
    // Own members only: no token has a claim called "constructor" that it does not carry.
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}
