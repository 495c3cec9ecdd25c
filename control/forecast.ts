/**
 * Looks ahead: which certificates will have ended by some moment, and whether what renews them works today.
 * It knows roots, intermediates, leafs of proxies and Secrets of gateways; not certificates that are files
 * of a proxy's own, and not keys of token issuers, which come and go at their owner's.
 */
import { decodePem, parseCertificate } from "../proxy/tls/mod.ts";
import type { Authority } from "./ca/mod.ts";
import type { Nodes } from "./push/nodes.ts";
import type { Member, Roster } from "./push/roster.ts";
import { ofKind } from "./schema/kinds.ts";
import { chainOf } from "./schema/secret.ts";
import type { Ledger } from "./store/ledger.ts";
import type { Clock } from "../core/clock.ts";

/** `fine`: renewed by itself. `due`: somebody has to do something before it ends. */
export type Outlook = "fine" | "due";

export interface Finding {
  readonly what: "root" | "intermediate" | "leaf" | "secret";
  /** Subject, proxy or `namespace/name` of the Secret. */
  readonly name: string;
  readonly endsMs: number;
  readonly outlook: Outlook;
  /** Why it is fine, or what to do. */
  readonly why: string;
}

export interface Forecast {
  readonly atMs: number;
  /** What will have ended by then, that which is due first. */
  readonly findings: readonly Finding[];
  /** What was looked at. */
  readonly counts: {
    readonly roots: number;
    readonly intermediates: number;
    readonly leafs: number;
    readonly secrets: number;
  };
  readonly due: number;
  /** Connected proxies that refuse what they are sent: a root's rotation would wait for them. */
  readonly refusing: readonly { readonly id: string; readonly reason: string }[];
}

export interface ForecastDeps {
  readonly authority: Pick<Authority, "bundle" | "issuers" | "renewalProblem" | "leafTtlMs">;
  readonly roster: Pick<Roster, "all">;
  readonly ledger: Pick<Ledger, "resources">;
  readonly nodes: Pick<Nodes, "connected">;
  /** When the control plane's own certificate ends. */
  readonly ownEndsMs: () => number;
  readonly clock: Clock;
}

/** A leaf with less than this share of its life left should have been renewed twice over. */
const LATE_SHARE = 0.35;

export async function forecast(deps: ForecastDeps, atMs: number): Promise<Forecast> {
  const { authority, roster, ledger, clock } = deps;
  const nowMs = clock.nowMs();
  const roots = certificates(authority.bundle()), issuers = certificates(authority.issuers());
  const keyProblem = await authority.renewalProblem();
  const rootsEndMs = Math.max(...roots.map((one) => one.endsMs));
  const authorityFails = issuers.some((one) => one.endsMs <= atMs) &&
    (keyProblem !== null || rootsEndMs <= atMs);
  const secrets = ofKind(ledger.resources(), "Secret").flatMap((one): Finding[] => {
    const [leaf] = certificates([chainOf(one)]);
    const { namespace, name } = one.metadata;
    return leaf === undefined ? [] : [{
      ...{ what: "secret", name: `${namespace}/${name}`, endsMs: leaf.endsMs, outlook: "due" },
      why:
        "nothing here renews it: apply the Secret with a newer certificate, or let what issues it do so",
    }];
  });
  const all: Finding[] = [
    ...roots.map(({ name, endsMs }): Finding => ({
      ...{ what: "root", name, endsMs, outlook: "due" },
      why: "roots are replaced by hand: denim ca rotate --root",
    })),
    ...issuers.map(({ name, endsMs }): Finding => ({
      ...{ what: "intermediate", name, endsMs },
      ...renewedIssuer(keyProblem, rootsEndMs, endsMs),
    })),
    ownFinding(deps.ownEndsMs(), nowMs, authority.leafTtlMs, authorityFails),
    ...roster.all().map((one) => leafFinding(one, nowMs, authority.leafTtlMs, authorityFails)),
    ...secrets,
  ];
  const findings = all.filter((one) => one.endsMs <= atMs)
    .sort((a, b) => a.outlook === b.outlook ? a.endsMs - b.endsMs : a.outlook === "due" ? -1 : 1);
  return {
    atMs,
    findings,
    counts: {
      roots: roots.length,
      intermediates: issuers.length,
      leafs: roster.all().length,
      secrets: secrets.length,
    },
    due: findings.filter((one) => one.outlook === "due").length,
    refusing: deps.nodes.connected().filter((node) => node.state === "refused")
      .map(({ id, link }) => ({ id, reason: link.delivery.reason })),
  };
}

function renewedIssuer(
  keyProblem: string | null,
  rootsEndMs: number,
  endsMs: number,
): Pick<Finding, "outlook" | "why"> {
  if (keyProblem !== null) return { outlook: "due", why: keyProblem };
  return rootsEndMs <= endsMs
    ? { outlook: "due", why: "its root ends with it: denim ca rotate --root" }
    : { outlook: "fine", why: "the root's key is here: a new one is made a month before" };
}

function leafFinding(
  { id, name, connected, certExpiresMs }: Member,
  nowMs: number,
  ttlMs: number,
  authorityFails: boolean,
): Finding {
  const finding = {
    what: "leaf",
    name: `${name} (${id.split(" ").at(-1)})`,
    endsMs: certExpiresMs,
  } as const;
  if (!connected) {
    return {
      ...finding,
      outlook: "due",
      why: "its proxy is away and can only renew when it is back",
    };
  }
  if (authorityFails) {
    return { ...finding, outlook: "due", why: "the authority will have ended by then" };
  }
  if (certExpiresMs - nowMs < ttlMs * LATE_SHARE) {
    return {
      ...finding,
      outlook: "due",
      why: "it should have been renewed by now: see its proxy's log for svid",
    };
  }
  return {
    ...finding,
    outlook: "fine",
    why: "its proxy is connected and renews it at half its life",
  };
}

/** The control plane's own leaf: nobody else has to be there for it. */
function ownFinding(
  certExpiresMs: number,
  nowMs: number,
  ttlMs: number,
  authorityFails: boolean,
): Finding {
  const own = { id: "", name: "", identity: "", issuer: "", trust: "" };
  const member: Member = { ...own, connected: true, certExpiresMs };
  const { outlook, why } = leafFinding(member, nowMs, ttlMs, authorityFails);
  return {
    what: "leaf",
    name: "the control plane itself",
    endsMs: certExpiresMs,
    outlook,
    why: outlook === "fine" ? "the control plane renews it at half its life" : why,
  };
}

interface Ending {
  readonly name: string;
  readonly endsMs: number;
}

function certificates(pem: readonly string[]): Ending[] {
  return pem.flatMap((text) => decodePem(text, "CERTIFICATE") ?? []).flatMap((der) => {
    const read = parseCertificate(der);
    return typeof read === "string"
      ? []
      : [{ name: `serial ${read.serial}`, endsMs: read.notAfterMs }];
  });
}
