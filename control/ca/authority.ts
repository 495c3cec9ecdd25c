/** The trust domain's certificate authority: a root kept apart and an online intermediate that issues. */
import type { Clock } from "../../core/clock.ts";

export interface AuthorityOptions {
  readonly trustDomain: string;
  /** Lifetime of an issued leaf; default 24 h. */
  readonly leafTtlMs?: number;
  readonly clock?: Clock;
}

/** What an SVID request gets back. */
export interface IssuedSvid {
  /** PEM, leaf first, then the intermediate. */
  readonly chainPem: string;
  /** Upper-case hexadecimal, without leading zeros. */
  readonly serial: string;
  readonly notAfterMs: number;
}

/** An SVID together with its private key (PKCS#8 PEM). */
export interface KeyedSvid extends IssuedSvid {
  readonly keyPem: string;
}

export class Authority {
  static open(_dir: string, _options: AuthorityOptions): Promise<Authority> {
    return Promise.reject(new Error("the certificate authority is not written yet"));
  }
  /** PEM certificates that may sign peers: roots first, then the intermediates in use. */
  bundle(): string[] {
    throw new Error("the certificate authority is not written yet");
  }
  /** Issues a leaf for `identity` (a whole SPIFFE id) to the key in `csrPem`; rejects with CsrError. */
  issue(_identity: string, _csrPem: string): Promise<IssuedSvid> {
    return Promise.reject(new Error("the certificate authority is not written yet"));
  }
  /** A fresh key and leaf for the control plane itself: `…/ns/denim-system/sa/control-plane`. */
  controlPlaneSvid(): Promise<KeyedSvid> {
    return Promise.reject(new Error("the certificate authority is not written yet"));
  }
}
