/** `MeshConfig.spec.federation`: other trust domains whose workloads are believed to be who they say. */
import { z } from "zod";
import { isTrustDomain, parseSpiffeId } from "../../proxy/tls/spiffe.ts";
import { problem, wanted } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

const domain = z.string().refine(isTrustDomain, wanted('a trust domain such as "partner.example"'));
const pem = z.string().max(LIMITS.pemChars, wanted(`at most ${LIMITS.pemChars} characters`))
  .regex(/^\s*-----BEGIN CERTIFICATE-----/, wanted("PEM certificates"));

const federatedDomain = z.strictObject({
  trustDomain: domain,
  endpoint: z.strictObject({
    /** Where its bundle is served (SPIFFE Trust Domain and Bundle). */
    url: z.string().max(LIMITS.nameChars).refine((text) => {
      const url = URL.parse(text);
      return url?.protocol === "https:" && url.username === "" && url.hash === "";
    }, wanted('an address such as "https://partner.example:8443/"')),
    /** `https_web`: public authorities judge the endpoint. `https_spiffe`: that domain's own bundle. */
    profile: z.enum(["https_web", "https_spiffe"]),
    /** https_spiffe: the endpoint's identity, of that domain. */
    spiffeId: z.string().optional(),
  }),
  /** PEM: the first bundle, with which https_spiffe begins. Later ones are fetched. */
  bundle: pem.optional(),
  /** https_web: PEM of who may vouch for the endpoint instead of the public authorities. */
  ca: pem.optional(),
  /** The endpoint may have an address that is not public. */
  allowPrivateAddresses: z.boolean().optional(),
}).check((ctx) => {
  const { trustDomain, endpoint: { profile, spiffeId }, bundle, ca } = ctx.value;
  if (profile === "https_spiffe") {
    if (spiffeId === undefined || parseSpiffeId(spiffeId)?.trustDomain !== trustDomain) {
      const what = spiffeId === undefined ? "is missing" : `is "${spiffeId}"`;
      problem(ctx, ["endpoint", "spiffeId"], `${what}, wanted an id of "${trustDomain}"`);
    }
    if (bundle === undefined) {
      problem(ctx, ["bundle"], "is missing; https_spiffe wants a first bundle, handed over safely");
    }
    if (ca !== undefined) problem(ctx, ["ca"], "is for https_web; https_spiffe goes by the bundle");
  } else if (spiffeId !== undefined) {
    problem(ctx, ["endpoint", "spiffeId"], "is for https_spiffe; https_web goes by the host name");
  }
});

export const federation = z.array(federatedDomain).max(LIMITS.federatedDomains, {
  error: `holds more than ${LIMITS.federatedDomains} trust domains`,
}).check((ctx) => {
  const names = ctx.value.map((one) => one.trustDomain);
  names.forEach((name, at) => {
    if (names.indexOf(name) < at) {
      problem(ctx, [at, "trustDomain"], `is "${name}", which another entry has`);
    }
  });
});

export type FederatedDomain = z.infer<typeof federatedDomain>;
