/**
 * What wrong signatures of one client may cost. Verifying takes up to two milliseconds of the core that all
 * requests share, and anybody can write a token whose signature is wrong; whoever sends many is heard less.
 */
import { TokenCache } from "./cache.ts";
import { JWT_LIMITS as LIMITS } from "./limits.ts";

interface Account {
  /** Milliseconds of verifying left; below zero: none until time has passed. */
  leftMs: number;
  atMs: number;
}

export class ClientBudget {
  /** Whoever has been forgotten has a clean account again. */
  readonly #accounts = new TokenCache<Account>(LIMITS.clients, LIMITS.clients);

  /** Whether a signature of `client` may be verified at `nowMs` (monotonic). */
  allows(client: string, nowMs: number): boolean {
    const account = this.#accounts.get(client);
    return account === undefined || refilled(account, nowMs) > 0;
  }

  /** A signature was wrong, and `spentMs` were spent on finding out. */
  wrong(client: string, spentMs: number, nowMs: number): void {
    let account = this.#accounts.get(client);
    if (account === undefined) {
      account = { leftMs: LIMITS.wrongBurstMs, atMs: nowMs };
      this.#accounts.set(client, account, 1);
    }
    account.leftMs = refilled(account, nowMs) - spentMs;
    account.atMs = nowMs;
  }
}

function refilled({ leftMs, atMs }: Account, nowMs: number): number {
  return Math.min(LIMITS.wrongBurstMs, leftMs + (nowMs - atMs) * LIMITS.wrongShare);
}

/** An address without its port, or an identity as it is. */
export function clientOf(peer: string, remote: string): string {
  return peer !== "" ? peer : remote.slice(0, remote.lastIndexOf(":"));
}
