/** Puts in force what a snapshot says about whom to believe. */
import type { TrustSpec } from "../../control/schema/snapshot.ts";
import type { MeshIdentity } from "../tls/mod.ts";

/** Bundles and revocations; throws TypeError with what is wrong with one, and then the other may be in force. */
export function putTrustInForce(identity: MeshIdentity, trust: TrustSpec): void {
  // First: who is revoked must not come in by the new bundle for a moment.
  identity.revoke(trust.revoked);
  identity.replaceTrust(trust.domain, trust.bundle);
  identity.federate(trust.federated ?? []);
}
