/** The audit trail of the authority: one JSON line per certificate, written before it is handed out. */

/** A log file is put aside at this size, and so many put-aside files are kept. */
export const MAX_LOG_BYTES = 16 * 1024 * 1024;
export const KEPT_LOGS = 8;

/** One issued certificate. */
export interface Issuance {
  readonly time: string;
  readonly serial: string;
  readonly identity: string;
  readonly notBefore: string;
  readonly notAfter: string;
  /** SHA-256 of the public key, hexadecimal: which key it went to. */
  readonly key: string;
}

export interface IssuanceLogOptions {
  readonly maxBytes?: number;
  readonly kept?: number;
}

/** Appends to one file; lines are whole and on disk when {@link append} returns. */
export class IssuanceLog {
  readonly #file: string;
  readonly #maxBytes: number;
  readonly #kept: number;

  constructor(file: string, options: IssuanceLogOptions = {}) {
    this.#file = file;
    this.#maxBytes = options.maxBytes ?? MAX_LOG_BYTES;
    this.#kept = options.kept ?? KEPT_LOGS;
  }

  /** Throws when the line cannot be written: a certificate nobody can account for is not handed out. */
  append(issuance: Issuance): void {
    const line = new TextEncoder().encode(JSON.stringify(issuance) + "\n");
    using file = Deno.openSync(this.#file, { append: true, create: true, mode: 0o600 });
    let at = 0;
    while (at < line.length) at += file.writeSync(line.subarray(at));
    file.syncDataSync();
    if (file.statSync().size >= this.#maxBytes) this.#putAside();
  }

  /** `issued.jsonl` becomes `issued.jsonl.1`, that one `.2`, and so on; the oldest goes. */
  #putAside(): void {
    for (let n = this.#kept; n >= 1; n--) {
      const from = n === 1 ? this.#file : `${this.#file}.${n - 1}`;
      try {
        Deno.renameSync(from, `${this.#file}.${n}`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}
