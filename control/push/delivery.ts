/**
 * Brings one proxy to the snapshot it should have: one delivery under way, and at most one waiting.
 *
 *            offer            send               ack
 *   (none) ────────▶ waiting ──────▶ under way ─────▶ in force
 *             newer offer replaces     │ nack
 *             what waits               └─────▶ refused: the one in force stays; not sent again
 */
import type { Snapshot } from "../schema/snapshot.ts";

export interface Offer {
  readonly snapshot: Snapshot;
  /** Newest revision it was built from. */
  readonly revision: number;
}

export type Send = (nonce: string, offer: Offer) => void;

export class Delivery {
  readonly #send: Send;
  #nonces = 0;
  #target: Offer | null = null;
  #waiting: Offer | null = null;
  #underWay: { readonly nonce: string; readonly offer: Offer } | null = null;
  #version: string | null;
  #revision: number | null = null;
  #refused: { readonly version: string; readonly reason: string } | null = null;

  /** `version`: what the proxy said to have in force when it came. */
  constructor(version: string | null, send: Send) {
    this.#version = version;
    this.#send = send;
  }

  /** What the control plane wants there now. */
  get target(): Offer | null {
    return this.#target;
  }
  /** In force at the proxy, and the revision it belongs to as far as that is known. */
  get version(): string | null {
    return this.#version;
  }
  get revision(): number | null {
    return this.#revision;
  }
  /** Why the target was refused, "" when it was not. */
  get reason(): string {
    return this.#refused !== null && this.#refused.version === this.#target?.snapshot.version
      ? this.#refused.reason
      : "";
  }
  get isInForce(): boolean {
    return this.#target !== null && this.#target.snapshot.version === this.#version &&
      this.#underWay === null;
  }

  /** Whether the proxy may ask for a module: it is in what it is to have, or in what it is just taking. */
  names(digest: string): boolean {
    return [this.#target, this.#underWay?.offer].some((offer) =>
      offer?.snapshot.modules.some((one) => one.digest === digest)
    );
  }

  /** The same for a private key. */
  namesKey(name: string): boolean {
    return [this.#target, this.#underWay?.offer].some((offer) =>
      offer?.snapshot.listeners.some((listener) =>
        listener.certificates?.some((one) => one.key === name) ?? false
      )
    );
  }

  /** A newer target. Of several that come while a delivery is under way only the last is sent. */
  offer(offer: Offer): void {
    this.#target = offer;
    this.#waiting = offer;
    this.#next();
  }

  /** False: the answer is to a delivery that is no longer of interest. */
  acked(nonce: string, version: string): boolean {
    const delivery = this.#answered(nonce);
    if (delivery === null || delivery.snapshot.version !== version) return false;
    this.#version = version;
    this.#revision = delivery.revision;
    this.#refused = null;
    this.#next();
    return true;
  }

  nacked(nonce: string, version: string, reason: string): boolean {
    const delivery = this.#answered(nonce);
    if (delivery === null || delivery.snapshot.version !== version) return false;
    this.#refused = { version, reason: reason === "" ? "The proxy gave no reason" : reason };
    this.#next();
    return true;
  }

  #answered(nonce: string): Offer | null {
    if (this.#underWay?.nonce !== nonce) return null;
    const { offer } = this.#underWay;
    this.#underWay = null;
    return offer;
  }

  #next(): void {
    if (this.#underWay !== null || this.#waiting === null) return;
    const offer = this.#waiting;
    this.#waiting = null;
    const { version } = offer.snapshot;
    if (version === this.#version) {
      // The same content under a newer revision is in force already.
      this.#revision = offer.revision;
      return;
    }
    // What was refused would be refused again: sending it over and over would only cost both.
    if (version === this.#refused?.version) return;
    const nonce = String(++this.#nonces);
    this.#underWay = { nonce, offer };
    this.#send(nonce, offer);
  }
}
