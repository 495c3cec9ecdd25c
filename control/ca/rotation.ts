/**
 * Takes a rotation from step to step, never before every live proxy is ready for the next one. Where it is
 * stands on the disk before anything is done about it, and everything can be done again: a control plane
 * that was killed goes on where it was.
 */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Member, Roster } from "../push/roster.ts";
import type { Authority } from "./authority.ts";
import type { RevocationList } from "./revocations.ts";
import { type Brought, RotationFiles } from "./rotation_files.ts";
import {
  abortStep,
  asksToRenew,
  isOver,
  mayKeep,
  nextStep,
  type RotationKind,
  type RotationState,
  type Step,
  waitsForTrust,
} from "./rotation_steps.ts";

/** Proxies that have still an old leaf are asked again after so long. */
export const ASK_AGAIN_MS = 10_000;
/** So many proxies are asked to renew in a second. */
const RENEWALS_PER_SECOND = 100;
/** Shown of those that are waited for. */
export const MAX_SHOWN = 100;

export interface RotationDeps {
  readonly files: RotationFiles;
  readonly authority: Pick<Authority, "reload" | "signer" | "issuerKey">;
  readonly roster: Pick<Roster, "all">;
  readonly revocations: Pick<RevocationList, "has" | "add">;
  /** Hash of what proxies are told to believe now. */
  readonly trustHash: () => string;
  /** Why a connected proxy refused its snapshot, "" when it did not. */
  readonly refusal: (id: string) => string;
  /** `sha256:<hex>` of the key that signed the control plane's own leaf. */
  readonly ownIssuer: () => string;
  /** Asks a proxy for a new leaf within so many milliseconds. */
  readonly askToRenew: (id: string, withinMs: number) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RotationRequest {
  readonly kind: RotationKind;
  readonly compromised: boolean;
  readonly now: boolean;
  readonly brought: Brought | null;
  readonly author: string;
}

/** Somebody who is waited for. */
export interface Waiting {
  readonly id: string;
  readonly name: string;
  readonly connected: boolean;
  readonly why: string;
}

export interface RotationStatus extends Omit<RotationState, "leftBehind"> {
  readonly over: boolean;
  /** Live proxies, and those among them that are waited for (at most 100 are named). */
  readonly proxies: number;
  readonly waitingCount: number;
  readonly waiting: readonly Waiting[];
  /** Whether there is a way back. */
  readonly abortable: boolean;
  /** What to do, in a sentence. */
  readonly hint: string;
  /** Why the last attempt to move on failed, "" when it did not. */
  readonly problem: string;
}

/** What was asked for cannot be done now; the message says why and what to do. */
export class RotationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RotationError";
  }
}

export class Rotation {
  readonly #deps: RotationDeps;
  #state: RotationState | null;
  #problem = "";
  readonly #askedMs = new Map<string, number>();
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(deps: RotationDeps, state: RotationState | null) {
    this.#deps = deps;
    this.#state = state;
  }

  /** To be called after {@link recover} and once the authority is open. */
  static async open(deps: RotationDeps): Promise<Rotation> {
    const state = await deps.files.read();
    const rotation = new Rotation(deps, state);
    if (state !== null && !isOver(state)) {
      deps.log.info("rotation.resumed", { kind: state.kind, step: state.step });
    }
    return rotation;
  }

  /** Makes the authority's files what they were about to be when the process ended; before it is opened. */
  static async recover(files: RotationFiles): Promise<void> {
    const state = await files.read();
    // What was prepared and never begun, or is no longer needed.
    if (state === null || isOver(state)) await files.clear();
    else await files.layOut(state);
  }

  get isOver(): boolean {
    return isOver(this.#state);
  }

  /** The key of an intermediate in other hands, while leafs of it may be out; null: there is none. */
  get compromisedIssuer(): string | null {
    const state = this.#state;
    return state !== null && state.compromised && state.step !== "aborted" ? state.oldIssuer : null;
  }

  async start(request: RotationRequest): Promise<void> {
    await this.#serially(async () => {
      if (!this.isOver) {
        throw new RotationError(
          `A rotation of the ${this.#state!.kind} is under way (step ${
            this.#state!.step
          }). See denim ca ` +
            "status, or end it with denim ca abort",
        );
      }
      const { files, authority, clock, log } = this.#deps;
      if (authority.signer !== "local") {
        throw new RotationError(
          `This authority signs by ${authority.signer}, not with a key of its own. Rotate it there`,
        );
      }
      const { kind, compromised, now, author } = request;
      const keys = await files.prepare(kind, request.brought);
      const nowMs = clock.nowMs();
      const times = { startedMs: nowMs, sinceMs: nowMs };
      const state: RotationState = {
        ...{ kind, compromised, now, step: "prepare", author, leftBehind: [] },
        ...times,
        ...keys,
      };
      await files.write(state);
      this.#state = state;
      log.warn("rotation.started", { kind, compromised, author });
    });
    await this.advance();
  }

  /** Goes back to what was; rejects with RotationError where there is no way back. */
  async abort(author: string): Promise<void> {
    await this.#serially(async () => {
      const state = this.#state;
      if (state === null) throw new RotationError("There is no rotation to abort");
      const step = abortStep(state);
      if (!isStep(step)) throw new RotationError(step);
      this.#deps.log.warn("rotation.aborting", { kind: state.kind, step: state.step, author });
      await this.#enter(step);
    });
    await this.advance();
  }

  /**
   * Goes on without proxies that are away. Rejects with RotationError, naming them, where connected ones
   * are waited for: they would be cut off from everybody.
   */
  async force(author: string): Promise<readonly Waiting[]> {
    let left: readonly Waiting[] = [];
    await this.#serially(async () => {
      const state = this.#state;
      if (state === null || isOver(state)) {
        throw new RotationError("There is no rotation under way");
      }
      const waiting = this.#waiting(state);
      const connected = waiting.filter((one) => one.connected);
      if (connected.length > 0) {
        throw new RotationError(
          `${connected.length} connected proxies are not ready for the next step and would be cut off from ` +
            `the mesh: ${named(connected)}. Mend or stop them first`,
        );
      }
      if (waiting.length === 0) return;
      left = waiting;
      const leftBehind = [...state.leftBehind, ...waiting.map((one) => one.id)];
      const next = { ...state, leftBehind };
      await this.#deps.files.write(next);
      this.#state = next;
      this.#deps.log.warn("rotation.forced", { step: state.step, author, left: waiting.length });
    });
    await this.advance();
    return left;
  }

  /** As far as it goes now; to be called every second, and when proxies have said something. Never rejects. */
  async advance(): Promise<void> {
    await this.#serially(async () => {
      for (;;) {
        const state = this.#state;
        if (state === null || isOver(state)) return;
        if (this.#waiting(state).length > 0) return this.#ask(state);
        await this.#act(state);
        await this.#enter(nextStep(state)!);
      }
    }).then(() => this.#problem = "", (error: unknown) => {
      const problem = error instanceof Error ? error.message : String(error);
      if (problem !== this.#problem) this.#deps.log.error("rotation.stuck", { reason: problem });
      this.#problem = problem;
    });
  }

  /** Resolves when what is under way just now has been done. */
  async settled(): Promise<void> {
    await this.#queue;
  }

  status(): RotationStatus | null {
    const state = this.#state;
    if (state === null) return null;
    const { leftBehind: _leftBehind, ...rest } = state;
    const waiting = this.#waiting(state);
    return {
      ...rest,
      over: isOver(state),
      proxies: this.#live(state).length,
      waitingCount: waiting.length,
      waiting: waiting.slice(0, MAX_SHOWN),
      abortable: isStep(abortStep(state)),
      hint: hintFor(state, waiting),
      problem: this.#problem,
    };
  }

  /** The step is on the disk first, then the files are what it wants, then everybody hears of it. */
  async #enter(step: Step): Promise<void> {
    const { files, authority, clock, log } = this.#deps;
    const state: RotationState = { ...this.#state!, step, sinceMs: clock.nowMs() };
    await files.write(state);
    this.#state = state;
    this.#askedMs.clear();
    log.info("rotation.step", { kind: state.kind, step });
    await files.layOut(state);
    await authority.reload();
    await this.#begin(state);
    if (isOver(state)) await files.clear();
  }

  /** What a step does when it begins, and again after a restart in it. */
  async #begin(state: RotationState): Promise<void> {
    if (state.step !== "revoke") return;
    this.#ask(state);
    const { revocations, clock } = this.#deps;
    if (revocations.has(state.oldIssuer)) return;
    await revocations.add({
      kind: "key",
      subject: state.oldIssuer,
      reason: "the intermediate was compromised",
      author: state.author,
      createdMs: clock.nowMs(),
      expiresMs: state.oldIssuerEndsMs,
    });
  }

  /** What is still to be done before a step can be left: the restart may have come before it was. */
  async #act(state: RotationState): Promise<void> {
    await this.#begin(state);
    if (state.step === "destroy") await this.#deps.files.clear();
  }

  #live(state: RotationState): Member[] {
    const nowMs = this.#deps.clock.nowMs();
    const left = new Set(state.leftBehind);
    return this.#deps.roster.all().filter((one) =>
      one.connected ||
      (one.certExpiresMs >= nowMs && !left.has(one.id) &&
        !this.#deps.revocations.has(one.identity))
    );
  }

  #waiting(state: RotationState): Waiting[] {
    if (isOver(state)) return [];
    const { authority, revocations, ownIssuer } = this.#deps;
    // Before it is in the list, nobody can have acknowledged it.
    const unlisted = state.step === "revoke" && !revocations.has(state.oldIssuer);
    const trust = waitsForTrust(state) && !unlisted ? this.#deps.trustHash() : null;
    const current = authority.issuerKey;
    const own: Waiting[] = mayKeep(state, ownIssuer(), current) ? [] : [{
      id: "control-plane",
      name: "the control plane itself",
      connected: true,
      why: "has a certificate of the issuer that goes",
    }];
    const others = this.#live(state).flatMap((one) => {
      const why = trust !== null && one.trust !== trust
        ? this.#deps.refusal(one.id) || "has not acknowledged whom to believe"
        : mayKeep(state, one.issuer, current)
        ? ""
        : one.issuer === ""
        ? "does not say which certificate it has"
        : "has a certificate of the issuer that goes";
      if (why === "") return [];
      const { id, name, connected, certExpiresMs } = one;
      const away = `is away since before it could; its certificate ends ${iso(certExpiresMs)}`;
      return [{ id, name, connected, why: connected ? why : away }];
    });
    return [...own, ...others];
  }

  /** Asks for new leafs, spread over time, and again where none came. */
  #ask(state: RotationState): void {
    if (!asksToRenew(state)) return;
    const { authority, clock, askToRenew } = this.#deps;
    const nowMs = clock.nowMs(), current = authority.issuerKey;
    const wanted = { ...state, step: state.step === "revoke" ? "renew" as const : state.step };
    const due = this.#live(state).filter(({ id, connected, issuer }) =>
      connected && !mayKeep(wanted, issuer, current) &&
      nowMs - (this.#askedMs.get(id) ?? -Infinity) > ASK_AGAIN_MS
    );
    const withinMs = state.now ? 0 : Math.ceil(due.length / RENEWALS_PER_SECOND) * 1000;
    for (const { id } of due) {
      this.#askedMs.set(id, nowMs + withinMs);
      askToRenew(id, withinMs);
    }
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }
}

const STEPS: readonly string[] = ["back-renew", "back-trust"] satisfies readonly Step[];

function isStep(answer: Step | string): answer is Step {
  return STEPS.includes(answer);
}

function hintFor(state: RotationState, waiting: readonly Waiting[]): string {
  if (state.step === "done") {
    return state.kind === "root"
      ? "Hand out the new trust bundle to whatever joins from now on: curl …/api/v1/trust-bundle. A copy " +
        "of the old root's key kept elsewhere can be destroyed"
      : "Nothing has to be done";
  }
  if (state.step === "aborted") return "Everything is as it was before; nothing has to be done";
  if (waiting.length === 0) return "It goes on by itself";
  if (waiting.some((one) => one.connected)) {
    return "It goes on by itself when these are ready; look into the logs of those that stay";
  }
  return "Only proxies that are away are waited for. Start them again, or wait until their certificates " +
    "have expired, or go on without them: denim ca rotate --force-step. Those need a new trust bundle and " +
    "a join token when they come back";
}

function named(waiting: readonly Waiting[]): string {
  const names = waiting.slice(0, 10).map((one) => `${one.name} (${one.why})`).join(", ");
  return waiting.length > 10 ? `${names} and ${waiting.length - 10} more` : names;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
