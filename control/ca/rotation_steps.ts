/**
 * Rotation as data: its steps, what the authority's files are in each, and which follows which.
 *
 *   root           prepare ▶ trust ▶ issue ▶ renew ▶ retire ▶ destroy ▶ done
 *                     │        │       │       │       from here on there is no way back
 *   abort             └────────┼───────┴───────┴─▶ back-renew ─▶ back-trust ─▶ aborted
 *                              └──────────────────────────────────▲
 *   intermediate   prepare ▶ issue ▶ renew ▶ (revoke, when compromised) ▶ destroy ▶ done
 */

export type RotationKind = "root" | "intermediate";

export type Step =
  /** New keys and certificates are made and put aside. */
  | "prepare"
  /** Proxies believe the new root beside the old one; waits until every live one does. */
  | "trust"
  /** Leafs come from the new intermediate. */
  | "issue"
  /** Every live proxy gets a new leaf; waits until none has an old one. */
  | "renew"
  /** Proxies cease to believe the old root; waits until every live one does. */
  | "retire"
  /** The key of the old intermediate is on every proxy's list; waits until it is. */
  | "revoke"
  /** The old keys are destroyed. */
  | "destroy"
  | "done"
  | "back-renew"
  | "back-trust"
  | "aborted";

/** Kept in the authority's folder, and written before anything is done about it. */
export interface RotationState {
  readonly kind: RotationKind;
  readonly compromised: boolean;
  /** The old intermediate is revoked at once, whoever has a new leaf by then. */
  readonly now: boolean;
  readonly step: Step;
  readonly startedMs: number;
  /** When the step began. */
  readonly sinceMs: number;
  readonly author: string;
  /** `sha256:<hex>` of the keys that sign leafs: before and after. */
  readonly oldIssuer: string;
  readonly newIssuer: string;
  /** When the old intermediate ends by itself. */
  readonly oldIssuerEndsMs: number;
  /** Ids of proxies that were away and that somebody decided not to wait for. */
  readonly leftBehind: readonly string[];
}

/** What the authority works with. */
export interface Layout {
  readonly roots: "old" | "both" | "new";
  readonly issuer: "old" | "new";
}

/** Of a root's rotation; that of an intermediate leaves the roots alone. Null: the files are left as they are. */
const LAYOUTS: Readonly<Record<Step, Layout | null>> = {
  "prepare": { roots: "old", issuer: "old" },
  "trust": { roots: "both", issuer: "old" },
  "issue": { roots: "both", issuer: "new" },
  "renew": { roots: "both", issuer: "new" },
  "retire": { roots: "new", issuer: "new" },
  "revoke": { roots: "new", issuer: "new" },
  "destroy": { roots: "new", issuer: "new" },
  "done": null,
  "back-renew": { roots: "both", issuer: "old" },
  "back-trust": { roots: "old", issuer: "old" },
  "aborted": null,
};

export function layoutOf({ kind, step }: Pick<RotationState, "kind" | "step">): Layout | null {
  const layout = LAYOUTS[step];
  return layout === null || kind === "root" ? layout : { ...layout, roots: "old" };
}

/** What follows once nothing is waited for any more; null: it is over. */
export function nextStep({ kind, step, compromised, now }: RotationState): Step | null {
  switch (step) {
    case "prepare":
      return kind === "root" ? "trust" : "issue";
    case "trust":
      return "issue";
    case "issue":
      // Told to hurry: who has no new leaf by then asks for one on the connection he has.
      return compromised && now ? "revoke" : "renew";
    case "renew":
      if (kind === "root") return "retire";
      return compromised && !now ? "revoke" : "destroy";
    case "revoke":
      return now ? "renew" : "destroy";
    case "retire":
      return "destroy";
    case "destroy":
      return "done";
    case "back-renew":
      return "back-trust";
    case "back-trust":
      return "aborted";
    case "done":
    case "aborted":
      return null;
  }
}

export function isOver(state: RotationState | null): boolean {
  return state === null || nextStep(state) === null;
}

/** Where an abort leads, or why there is no way back. */
export function abortStep({ kind, step, compromised }: RotationState): Step | string {
  if (step === "done") return "The rotation is done, there is nothing to abort";
  if (step === "aborted" || step === "back-renew" || step === "back-trust") {
    return "The rotation is being aborted, or has been";
  }
  if (step === "retire" || step === "destroy" || step === "revoke") {
    return kind === "root"
      ? "The old root is being removed from proxies, so there is no way back: those that have removed it " +
        "already would refuse everybody. Let it finish (denim ca status), then rotate again if you must"
      : "The old intermediate is revoked or its key is destroyed. Let it finish (denim ca status), then " +
        "rotate again if you must";
  }
  if (compromised && step !== "prepare") {
    return "The old intermediate is compromised: going back would have its thief believed again. Let it " +
      "finish (denim ca status), then rotate again if you must";
  }
  // An intermediate's leafs stay good, they hang below the same root.
  if (kind === "intermediate" || step === "prepare") return "back-trust";
  return step === "trust" ? "back-trust" : "back-renew";
}

/**
 * Whether a leaf of this issuer may stay when the step is over. `current` is what signs now: an
 * intermediate that was due may have been replaced in the middle of a rotation.
 */
export function mayKeep(state: RotationState, issuer: string, current: string): boolean {
  if (state.step === "renew") return issuer === state.newIssuer || issuer === current;
  return state.step !== "back-renew" || (issuer !== state.newIssuer && issuer !== "");
}

/** Whether proxies are asked for new leafs. */
export function asksToRenew({ step, now }: RotationState): boolean {
  return step === "renew" || step === "back-renew" || (step === "revoke" && now);
}

/** Steps that are over when every live proxy has acknowledged what it is to believe. */
export function waitsForTrust({ step, kind }: RotationState): boolean {
  if (step === "back-trust") return kind === "root";
  return step === "trust" || step === "retire" || step === "revoke";
}
