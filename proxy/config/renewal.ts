/** Renews the certificate at about half its remaining life, with a new key each time. */
import type { Clock, Random } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { createKeyAndCsr, type IdentityMaterial, type MeshIdentity } from "../tls/mod.ts";
import type { IdentityFile } from "./identity_store.ts";

export interface RenewalOptions {
  readonly identity: MeshIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** An unanswered request is made again after so long. */
export const RENEWAL_RETRY_MS = 10_000;
/** The longest delay a timer can hold is 2^31 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Renewal {
  readonly #options: RenewalOptions;
  readonly #file: IdentityFile;
  readonly #request: (csr: string) => boolean;
  readonly #unwatch: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = false;
  #keyPem = "";

  /** `request` sends a CSR; false: there is no connection. */
  constructor(options: RenewalOptions, file: IdentityFile, request: (csr: string) => boolean) {
    this.#options = options;
    this.#file = file;
    this.#request = request;
    // A bundle without our own root makes us a stranger to everybody: half a life is too long to wait.
    this.#unwatch = options.identity.onChange(() => {
      if (!this.#due && !options.identity.isVouchedFor) this.#renew();
    });
    this.#arm();
  }

  /** There is a connection: what could not be asked for before is asked for now. */
  connected(): void {
    if (this.#due) this.#renew();
  }

  /** The control plane wants it sooner, at some moment within so long. */
  asked(withinMs: number): void {
    if (this.#due) return;
    const { identity, clock, random } = this.#options;
    const left = identity.notAfterMs - clock.nowMs();
    this.#after(Math.max(0, Math.min(withinMs, left / 4)) * random());
  }

  received({ chain, bundle }: { readonly chain: string; readonly bundle: string }): void {
    if (this.#keyPem === "") return; // not asked for
    const { identity, log } = this.#options;
    const { trustDomain } = identity.material;
    const material = { trustDomain, keyPem: this.#keyPem, chainPem: chain, bundle: [bundle] };
    this.#keyPem = "";
    try {
      this.replaced(material);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error("identity.not_renewed", { reason });
      this.#again();
    }
  }

  /** Puts a certificate in force, keeps it and renews it in its time; throws when it is none for us. */
  replaced(material: IdentityMaterial): void {
    const { identity, log } = this.#options;
    identity.replace(material);
    this.#keyPem = "";
    this.#due = false;
    log.info("identity.renewed", { serial: identity.serial, notAfterMs: identity.notAfterMs });
    this.#arm();
    this.#file.write(material);
  }

  stop(): void {
    this.#unwatch();
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const { identity, clock, random } = this.#options;
    const left = identity.notAfterMs - clock.nowMs();
    // Jitter: a mesh that was started in one minute must not renew in one minute.
    const share = 0.45 + random() * 0.1;
    this.#after(Math.max(0, left * share));
  }

  #renew(): void {
    this.#due = true;
    const { keyPem, csrPem } = createKeyAndCsr();
    this.#keyPem = keyPem;
    if (this.#request(csrPem)) this.#again();
    // Without a connection connected() asks as soon as there is one.
  }

  #again(): void {
    const left = this.#options.identity.notAfterMs - this.#options.clock.nowMs();
    this.#after(Math.min(RENEWAL_RETRY_MS, Math.max(500, left / 4)));
  }

  #after(ms: number): void {
    clearTimeout(this.#timer);
    const tooLong = ms > MAX_TIMER_MS;
    this.#timer = setTimeout(
      () => tooLong ? this.#arm() : this.#renew(),
      Math.min(ms, MAX_TIMER_MS),
    );
  }
}
