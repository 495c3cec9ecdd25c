/** How a proxy gets its identity: from disk, or from the control plane for a join token. */
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

export interface IdentityRequest {
  readonly control: Place;
  /** PEM of the certificates by which the control plane is known at the first connection. */
  readonly bundlePem: string;
  /** Reads the token when one is needed; null when none was given. */
  readonly joinToken: () => Promise<string | null>;
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
  const token = (await request.joinToken())?.trim() ?? "";
  if (token === "") {
    throw new JoinError(
      `Cannot join as "${namespace}/${name}": there is no identity in "${state}" and no join token ` +
        `was given. Make one with: denim token create --identity ${namespace}/${name}`,
    );
  }
  const material = await joinUntilAnswered(request, trustDomain, token);
  const identity = new MeshIdentity(material, { nowMs });
  if (identity.id !== expected) {
    throw new JoinError(
      `The join token is for "${identity.id}", this proxy is "${expected}". ` +
        `Make the right one with: denim token create --identity ${namespace}/${name}`,
    );
  }
  await writeIdentity(state, material);
  log.info("identity.joined", { identity: identity.id, notAfterMs: identity.notAfterMs });
  return identity;
}

async function joinUntilAnswered(
  request: IdentityRequest,
  trustDomain: string,
  token: string,
): Promise<IdentityMaterial> {
  const backoff = new Backoff(request.random ?? systemRandom);
  for (;;) {
    request.signal?.throwIfAborted();
    try {
      return await joinOnce(request, trustDomain, token);
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
  token: string,
): Promise<IdentityMaterial> {
  const { keyPem, csrPem } = createKeyAndCsr();
  return new Promise((resolve, reject) => {
    const link = connectToJoin(control, bundlePem, {
      connected: () => link.send({ type: "join", token, csr: csrPem }),
      message: (message: ToProxy) => {
        if (message.type === "svid") {
          const { chain, bundle } = message;
          resolve({ trustDomain, keyPem, chainPem: chain, bundle: [bundle] });
          link.end();
        } else if (message.type === "error") {
          const failure = message.code === "csr.failed" ? Error : JoinError;
          reject(new failure(`The control plane refused to let this proxy in: ${message.message}`));
        }
      },
      module: () => {},
      closed: (reason) =>
        reject(new Error(reason === "" ? "The control plane closed the connection" : reason)),
    });
  });
}
