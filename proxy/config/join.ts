/** How a proxy gets its identity: from disk, or from the control plane for a join token or a platform's token. */
import { type Random, systemRandom } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { ToProxy } from "../../control/schema/protocol.ts";
import {
  createKeyAndCsr,
  formatWorkloadId,
  type IdentityMaterial,
  MeshIdentity,
} from "../tls/mod.ts";
import { Backoff } from "./backoff.ts";
import { connectToJoin, type Place, trustDomainOf } from "./control_link.ts";
import { readIdentity, writeIdentity } from "./identity_store.ts";

/** What a proxy without an identity shows: a token made for it, or the one its platform gave it. */
export type Credential = { readonly token: string } | { readonly jwt: string };

export interface IdentityRequest {
  readonly control: Place;
  /** PEM of the certificates by which the control plane is known at the first connection. */
  readonly bundlePem: string;
  /** Reads what lets the proxy in, each time it is needed; null when nothing was given. */
  readonly credential: () => Promise<Credential | null>;
  readonly namespace: string;
  /** Of the Service or the Gateway. */
  readonly name: string;
  /** State folder. */
  readonly state: string;
  readonly log: Log;
  readonly nowMs: () => number;
  readonly random?: Random;
  /** Ends the tries. */
  readonly signal?: AbortSignal;
}

/** Refusals that may be no more at the next try: keys that were away, a token that is replaced meanwhile. */
const PASSING: readonly string[] = [
  "csr.failed",
  "join.expired",
  "join.too_often",
  "join.unavailable",
];

/** The control plane said no, and would say it again. */
export class JoinError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "JoinError";
  }
}

/**
 * The identity of this proxy: the kept one while it is in date, else a new one. While the control plane
 * cannot be reached it is tried again; a refused token is the end, because it will not get better.
 */
export async function obtainIdentity(request: IdentityRequest): Promise<MeshIdentity> {
  const { state, log, nowMs, namespace, name } = request;
  const trustDomain = trustDomainOf(request.bundlePem);
  const expected = formatWorkloadId({ trustDomain, namespace, service: name });
  const kept = await readIdentity(state, expected, { log, nowMs });
  if (kept !== null) return kept;
  const material = await joinUntilAnswered(request, trustDomain);
  const identity = identityOf(material, expected, request);
  await writeIdentity(state, material);
  log.info("identity.joined", { identity: identity.id, notAfterMs: identity.notAfterMs });
  return identity;
}

/** One try of a proxy whose identity has expired while it ran: with what lets it in more than once. */
export async function rejoin(request: IdentityRequest): Promise<IdentityMaterial> {
  const { namespace, name } = request;
  const trustDomain = trustDomainOf(request.bundlePem);
  const material = await joinOnce(request, trustDomain, await credentialOf(request));
  identityOf(material, formatWorkloadId({ trustDomain, namespace, service: name }), request);
  return material;
}

function identityOf(
  material: IdentityMaterial,
  expected: string,
  { namespace, name, nowMs }: IdentityRequest,
): MeshIdentity {
  const identity = new MeshIdentity(material, { nowMs });
  if (identity.id === expected) return identity;
  throw new JoinError(
    `The token is for "${identity.id}", this proxy is "${expected}". ` +
      `Make the right one with: denim token create --identity ${namespace}/${name}, or run the pod ` +
      "under the service account of that name",
  );
}

async function credentialOf(request: IdentityRequest): Promise<Credential> {
  const given = await request.credential();
  if (given !== null && ("jwt" in given || given.token.trim() !== "")) return given;
  const { namespace, name, state } = request;
  throw new JoinError(
    `Cannot join as "${namespace}/${name}": there is no identity in "${state}" and no join token ` +
      `was given. Make one with: denim token create --identity ${namespace}/${name}`,
  );
}

async function joinUntilAnswered(
  request: IdentityRequest,
  trustDomain: string,
): Promise<IdentityMaterial> {
  const backoff = new Backoff(request.random ?? systemRandom);
  for (;;) {
    request.signal?.throwIfAborted();
    try {
      return await joinOnce(request, trustDomain, await credentialOf(request));
    } catch (error) {
      if (error instanceof JoinError) throw error;
      const waitMs = backoff.next();
      const reason = error instanceof Error ? error.message : String(error);
      request.log.warn("join.failed", { reason, retryMs: Math.round(waitMs) });
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

function joinOnce(
  { control, bundlePem }: IdentityRequest,
  trustDomain: string,
  credential: Credential,
): Promise<IdentityMaterial> {
  const { keyPem, csrPem } = createKeyAndCsr();
  return new Promise((resolve, reject) => {
    const link = connectToJoin(control, bundlePem, {
      connected: () =>
        link.send(
          "jwt" in credential
            ? { type: "attest", jwt: credential.jwt.trim(), csr: csrPem }
            : { type: "join", token: credential.token.trim(), csr: csrPem },
        ),
      message: (message: ToProxy) => {
        if (message.type === "svid") {
          const { chain, bundle } = message;
          resolve({ trustDomain, keyPem, chainPem: chain, bundle: [bundle] });
          link.end();
        } else if (message.type === "error") {
          const failure = PASSING.includes(message.code) ? Error : JoinError;
          reject(new failure(`The control plane refused to let this proxy in: ${message.message}`));
        }
      },
      module: () => {},
      closed: (reason) =>
        reject(new Error(reason === "" ? "The control plane closed the connection" : reason)),
    });
  });
}
