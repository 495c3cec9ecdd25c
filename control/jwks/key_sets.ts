/**
 * The key sets of a mesh's issuers: fetched once for all proxies, which get them in their snapshots.
 *
 *   named by a RequestAuthentication ──▶ due ──▶ under way ──▶ fetched ──(refresh, or a token with an
 *                                         ▲          │ failed            unknown key)──▶ due
 *                                         └──────────┘ after a while; the last good set stays
 *
 * What was fetched is kept in the store: a control plane that starts while an issuer is down has its keys.
 */
import type { Clock, Random } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Counter, Gauge, Metrics } from "../../core/metrics.ts";
import type { KeySet, PublicJwk } from "../../filters/jwt/keys.ts";
import { ofKind, type Resource } from "../schema/kinds.ts";
import { ConflictError, overwrite, type Store } from "../store/store.ts";
import { JWKS_LIMITS as LIMITS } from "./limits.ts";
import { JwksPlaces } from "./places.ts";
import { sha256Hex } from "../digest.ts";

const PREFIX = "jwks/";

export interface KeySetsDeps {
  readonly store: Store;
  readonly ledger: {
    resources(): readonly Resource[];
    onChange(listener: () => void): () => void;
  };
  /** Rejects with the end of a sentence about the URI. */
  readonly fetch: (uri: string, places: JwksPlaces) => Promise<KeySet>;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** For people and programs that ask how it stands. */
export interface KeySetView {
  readonly uri: string;
  /** Key ids ("" for a key without one); empty: never fetched. */
  readonly keys: readonly string[];
  /** Unix milliseconds of the last success; null: none. */
  readonly fetchedMs: number | null;
  /** Why the last attempt failed, "" when it did not. */
  readonly problem: string;
}

interface Entry {
  readonly uri: string;
  keys: readonly PublicJwk[] | null;
  fetchedMs: number | null;
  /** Monotonic times. */
  dueMs: number;
  triedMs: number;
  busy: boolean;
  /** Failures since the last success. */
  failures: number;
  problem: string;
  readonly up: Gauge;
  readonly failed: Counter;
}

interface Kept {
  readonly uri: string;
  readonly keys: readonly PublicJwk[];
  readonly fetchedMs: number;
}

export class KeySets {
  readonly #deps: KeySetsDeps;
  readonly #kept: Map<string, Kept>;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<() => void>();
  readonly #unfollow: () => void;
  #fetched: ReadonlyMap<string, readonly PublicJwk[]> = new Map();
  #work: Promise<void> = Promise.resolve();
  #running = 0;
  #closed = false;

  private constructor(deps: KeySetsDeps, kept: Map<string, Kept>) {
    this.#deps = deps;
    this.#kept = kept;
    this.#unfollow = deps.ledger.onChange(() => this.#follow());
    this.#follow();
    for (const uri of kept.keys()) if (!this.#entries.has(uri)) this.#store(uri, null);
  }

  static async open(deps: KeySetsDeps): Promise<KeySets> {
    const { entries } = await deps.store.list(PREFIX);
    const kept = entries.map(({ value }) => JSON.parse(value) as Kept);
    return new KeySets(deps, new Map(kept.map((one) => [one.uri, one])));
  }

  /** By URI, for snapshots; the same object until something changes. */
  fetched(): ReadonlyMap<string, readonly PublicJwk[]> {
    return this.#fetched;
  }

  /** Whether a set is being asked for the first time: its rule is better put in force with its keys. */
  get isSettling(): boolean {
    return [...this.#entries.values()].some((one) => one.keys === null && one.failures === 0);
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** A proxy has met a token whose key is not in the set: maybe there are new ones. */
  unknownKey(uri: string): void {
    const entry = this.#entries.get(uri);
    if (entry === undefined) return;
    entry.dueMs = Math.min(entry.dueMs, entry.triedMs + LIMITS.unknownKeyMs);
    this.sweep();
  }

  /** Fetches what is due; to be called every second or so. */
  sweep(): void {
    if (this.#closed) return;
    const nowMs = this.#deps.clock.monotonicMs();
    for (const entry of this.#entries.values()) {
      if (this.#running >= LIMITS.parallel) return;
      if (!entry.busy && nowMs >= entry.dueMs) void this.#fetch(entry);
    }
  }

  list(): KeySetView[] {
    return [...this.#entries.values()].map(({ uri, keys, fetchedMs, problem }) => ({
      uri,
      keys: (keys ?? []).map((key) => key.kid ?? ""),
      fetchedMs,
      problem,
    })).sort((a, b) => a.uri < b.uri ? -1 : 1);
  }

  /** What was fetched is on disk. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#unfollow();
    await this.#work;
  }

  /** Follows what the resources name. */
  #follow(): void {
    const wanted = urisOf(this.#deps.ledger.resources());
    let changed = false;
    for (const [uri, entry] of this.#entries) {
      if (wanted.has(uri)) continue;
      this.#entries.delete(uri);
      this.#kept.delete(uri);
      entry.up.set(0);
      changed ||= entry.keys !== null;
      this.#store(uri, null);
    }
    for (const uri of wanted) {
      if (this.#entries.has(uri)) continue;
      if (this.#entries.size >= LIMITS.sets) {
        this.#deps.log.error("jwks.too_many", { uri, limit: LIMITS.sets });
        continue;
      }
      const entry = this.#entry(uri);
      this.#entries.set(uri, entry);
      changed ||= entry.keys !== null;
    }
    if (changed) this.#changed();
    this.sweep();
  }

  #entry(uri: string): Entry {
    const { metrics } = this.#deps;
    const kept = this.#kept.get(uri);
    return {
      uri,
      keys: kept?.keys ?? null,
      fetchedMs: kept?.fetchedMs ?? null,
      dueMs: 0,
      triedMs: -Infinity,
      busy: false,
      failures: 0,
      problem: "",
      up: metrics.gauge("denim_jwks_up", "1 while the last fetch of a key set succeeded", { uri }),
      failed: metrics.counter("denim_jwks_failures_total", "Fetches of a key set that failed", {
        uri,
      }),
    };
  }

  async #fetch(entry: Entry): Promise<void> {
    const { clock, fetch, ledger, random } = this.#deps;
    entry.busy = true;
    entry.triedMs = clock.monotonicMs();
    this.#running++;
    try {
      const config = ofKind(ledger.resources(), "MeshConfig")[0]?.spec.jwks;
      const set = await fetch(entry.uri, new JwksPlaces(config));
      if (this.#isOver(entry)) return;
      entry.dueMs = clock.monotonicMs() + LIMITS.refreshMs * (1 + random() / 10);
      this.#succeeded(entry, set);
    } catch (error) {
      if (this.#isOver(entry)) return;
      const wait = LIMITS.retryMs * 2 ** Math.min(entry.failures, 16);
      entry.dueMs = clock.monotonicMs() + Math.min(wait, LIMITS.retryMaxMs) * (1 + random() / 10);
      this.#failed(entry, error instanceof Error ? error.message : String(error));
    } finally {
      entry.busy = false;
      this.#running--;
    }
  }

  #isOver(entry: Entry): boolean {
    return this.#closed || this.#entries.get(entry.uri) !== entry;
  }

  #succeeded(entry: Entry, { keys, refused, secrets }: KeySet): void {
    const { log, clock } = this.#deps;
    const { uri } = entry;
    const same = JSON.stringify(keys) === JSON.stringify(entry.keys);
    entry.fetchedMs = clock.nowMs();
    entry.failures = 0;
    entry.up.set(1);
    if (same && entry.problem === "") return;
    entry.problem = "";
    entry.keys = keys;
    const kids = keys.map((key) => key.kid ?? "").join(" ");
    log.info("jwks.fetched", { uri, kids, refused: refused.join("; ") });
    if (secrets > 0) {
      log.error("jwks.secret_published", { uri, reason: "The issuer publishes its private keys" });
    }
    if (same) return;
    this.#store(uri, { uri, keys, fetchedMs: entry.fetchedMs });
    this.#changed();
  }

  #failed(entry: Entry, problem: string): void {
    const first = entry.problem !== problem;
    entry.failures++;
    entry.problem = problem;
    entry.up.set(0);
    entry.failed.add();
    if (!first) return;
    const reason = `${entry.uri} ${problem}`;
    this.#deps.log.warn("jwks.not_fetched", { uri: entry.uri, reason, kept: entry.keys !== null });
    for (const listener of this.#listeners) listener(); // whoever waits for the first answer has it
  }

  #changed(): void {
    const sets = [...this.#entries.values()].flatMap(({ uri, keys }): [
      string,
      readonly PublicJwk[],
    ][] => keys === null ? [] : [[uri, keys]]);
    this.#fetched = new Map(sets);
    for (const listener of this.#listeners) listener();
  }

  /** One write after the other; what fails is fetched anew after a restart. */
  #store(uri: string, kept: Kept | null): void {
    const { store, log } = this.#deps;
    const key = PREFIX + sha256Hex(uri);
    const value = kept === null ? null : JSON.stringify(kept);
    this.#work = this.#work.then(() => overwrite(store, key, value)).catch((error: unknown) => {
      if (error instanceof ConflictError) return; // another control plane has fetched it too
      const reason = error instanceof Error ? error.message : String(error);
      log.error("jwks.not_kept", { uri, reason });
    });
  }
}

function urisOf(resources: readonly Resource[]): ReadonlySet<string> {
  const rules = ofKind(resources, "RequestAuthentication").flatMap((one) => one.spec.jwtRules);
  return new Set(rules.flatMap(({ jwksUri }) => jwksUri === undefined ? [] : [jwksUri]));
}
