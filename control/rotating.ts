/** Puts the rotation together with what it waits for: proxies, what they believe, and our own certificate. */
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { issuerOf } from "../proxy/tls/mod.ts";
import type { Authority, RevocationList } from "./ca/mod.ts";
import { Rotation } from "./ca/rotation.ts";
import type { RotationFiles } from "./ca/rotation_files.ts";
import type { Nodes } from "./push/nodes.ts";
import type { Roster } from "./push/roster.ts";
import { trustHash } from "./push/trust_hash.ts";
import type { TrustSpec } from "./schema/snapshot.ts";

export interface RotatingParts {
  readonly files: RotationFiles;
  readonly authority: Authority;
  readonly roster: Roster;
  readonly nodes: Nodes;
  readonly revocations: RevocationList;
  readonly trust: () => TrustSpec;
  readonly ownIssuer: () => string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Answers of proxies that come together are looked at together. */
const LOOK_MS = 20;

export interface Rotating {
  readonly rotation: Rotation;
  /** Why the holder of a certificate gets no other by it; null: nothing. DER, leaf first. */
  renewalFault(chain: readonly Uint8Array[]): Promise<string | null>;
  /** To be called every second. */
  sweep(): void;
  close(): Promise<void>;
}

export async function startRotating(parts: RotatingParts): Promise<Rotating> {
  const { authority, nodes, roster, trust } = parts;
  const rotation = await Rotation.open({
    ...parts,
    trustHash: () => trustHash(trust()),
    refusal: (id) => nodes.get(id)?.link.delivery.reason ?? "",
    askToRenew: (id, withinMs) => nodes.get(id)?.link.renew(withinMs),
  });
  let timer: ReturnType<typeof setTimeout> | null = null;
  let closed = false;
  const look = (): void => {
    if (closed || rotation.isOver) return;
    timer ??= setTimeout(() => {
      timer = null;
      void rotation.advance();
    }, LOOK_MS);
  };
  roster.onChange(look);
  return {
    rotation,
    async renewalFault(chain) {
      // With a stolen intermediate anybody can be made up; what we issued is in the log.
      if (issuerOf(chain) !== rotation.compromisedIssuer) return null;
      if (await authority.hasIssued(chain[0]!)) return null;
      return "The intermediate that signed this certificate is compromised, and the issuance log does not " +
        "know the certificate. Join anew: denim token create";
    },
    sweep: look,
    async close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      await rotation.settled();
    },
  };
}
