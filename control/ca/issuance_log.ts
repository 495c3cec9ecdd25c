/**
 * The audit trail of the authority: one JSON line per certificate, written before it is handed out. Each
 * line holds the hash of the one before it, so that one that was taken out, put in or changed shows.
 */
import { LineFile, type LineFileLimits } from "../store/line_file.ts";
import { sha256Hex } from "../digest.ts";

/** A log file is put aside at this size, and so many put-aside files are kept. */
export const MAX_LOG_BYTES = 16 * 1024 * 1024;
export const KEPT_LOGS = 8;
/** Certificates one search gives at most, and breaks of the chain it tells. */
export const MAX_FOUND = 1000, MAX_BREAKS = 20;
/** Lines judged before others get their turn. */
const LINES_AT_ONCE = 2000;
const NO_LINE = "0".repeat(64);

/** One issued certificate. */
export interface Issuance {
  readonly time: string;
  readonly serial: string;
  readonly identity: string;
  readonly notBefore: string;
  readonly notAfter: string;
  /** Serial of the certificate that signed it. */
  readonly issuer: string;
  /** SHA-256 of the public key, hexadecimal: which key it went to. */
  readonly key: string;
}

/** As it stands in the log. */
export interface LoggedIssuance extends Issuance {
  /** Counts from 1. */
  readonly n: number;
  /** SHA-256 of the line before, hexadecimal. */
  readonly previous: string;
}

export interface IssuanceQuery {
  readonly identity?: string | undefined;
  /** Hexadecimal in either case, with or without colons and leading zeros. */
  readonly serial?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly limit: number;
}

export interface IssuanceFindings {
  /** Newest first. */
  readonly found: readonly LoggedIssuance[];
  /** Lines there are, and the number of the first: above 1, older files have been dropped. */
  readonly lines: number;
  readonly first: number;
  /** Number and hash of the newest line: noted elsewhere, they show whether the end was cut off. */
  readonly head: { readonly n: number; readonly sha256: string };
  /** Where the chain is broken, in sentences; empty: every line is where it was written. */
  readonly breaks: readonly string[];
}

interface Waiting {
  readonly issuance: Issuance;
  readonly done: PromiseWithResolvers<void>;
}

/** Appends to one file; what comes while the disk is busy goes there together. */
export class IssuanceLog {
  readonly #file: LineFile;
  #head: IssuanceFindings["head"];
  #waiting: Waiting[] = [];
  #writing = false;
  /** After a failure nobody knows what is on disk until it has been looked at. */
  #isUncertain = false;

  private constructor(file: LineFile, head: IssuanceFindings["head"]) {
    this.#file = file;
    this.#head = head;
  }

  /** Goes on where the log of `file` ends. */
  static async open(file: string, limits: Partial<LineFileLimits> = {}): Promise<IssuanceLog> {
    const { maxBytes = MAX_LOG_BYTES, kept = KEPT_LOGS } = limits;
    const lines = new LineFile(file, { maxBytes, kept });
    return new IssuanceLog(lines, await endOf(lines));
  }

  /**
   * The line is whole and on disk when this resolves. Rejects when it cannot be written: a certificate
   * nobody can account for is not handed out.
   */
  append(issuance: Issuance): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ issuance, done });
    if (!this.#writing) void this.#write();
    return done.promise;
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        if (this.#isUncertain) this.#head = await endOf(this.#file);
        this.#isUncertain = false;
        let { n, sha256 } = this.#head;
        const lines = batch.map(({ issuance }) => {
          const line = JSON.stringify({ n: ++n, previous: sha256, ...issuance });
          sha256 = sha256Hex(line);
          return line;
        });
        await this.#file.appendAll(lines);
        this.#head = { n, sha256 };
        for (const { done } of batch) done.resolve();
      } catch (error) {
        this.#isUncertain = true;
        for (const { done } of batch) done.reject(error);
      }
    }
    this.#writing = false;
  }

  /** Reads the log up to its present end, judges its chain and gives what fits. */
  async search(query: IssuanceQuery): Promise<IssuanceFindings> {
    for (;;) {
      const before = this.#file.putAsides;
      const findings = await this.#read(query, this.#head);
      // Files that were renamed meanwhile were read twice or not at all.
      if (this.#file.putAsides === before) return findings;
    }
  }

  async #read(query: IssuanceQuery, head: IssuanceFindings["head"]): Promise<IssuanceFindings> {
    const wanted = { ...query, serial: query.serial && plainSerial(query.serial) };
    const found: LoggedIssuance[] = [];
    const breaks: string[] = [];
    let lines = 0, first = 0, n = 0, previous: string | null = null;
    for await (const line of this.#file.oldestFirst()) {
      if (n >= head.n && previous === head.sha256) break; // what came since is not judged
      const entry = parse(line);
      const fault = previous === null && !this.#file.mayHaveDropped()
        ? faultOf(entry, 0, NO_LINE)
        : faultOf(entry, n, previous);
      if (fault !== null && breaks.length < MAX_BREAKS) breaks.push(fault);
      if (lines++ === 0) first = entry?.n ?? 1;
      n = entry === null ? n + 1 : entry.n ?? n;
      previous = sha256Hex(line);
      if (entry !== null && fits(entry, wanted)) {
        found.push(entry);
        if (found.length > query.limit) found.shift();
      }
      if (lines % LINES_AT_ONCE === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    if ((previous ?? NO_LINE) !== head.sha256 && breaks.length < MAX_BREAKS) {
      breaks.push(`the log ends with line ${n}, but line ${head.n} was the last one written`);
    }
    return { found: found.reverse(), lines, first, head, breaks };
  }
}

/** Number and hash of the last line; ends that line if a power cut left it half written. */
async function endOf(lines: LineFile): Promise<IssuanceFindings["head"]> {
  lines.mend();
  let n = 0, sha256 = NO_LINE, after = 0;
  for await (const line of lines.newestFirst()) {
    if (after++ === 0) sha256 = sha256Hex(line);
    const entry = parse(line);
    // What was left half written is a line too, only nobody's.
    if (entry === null) continue;
    n = (entry.n ?? 0) + after - 1;
    break;
  }
  return { n, sha256 };
}

/** What is wrong between a line and the one before it (null: it is the first there is). */
function faultOf(entry: LoggedIssuance | null, n: number, previous: string | null): string | null {
  if (entry === null) return `the line after line ${n} is damaged`;
  if (entry.n === undefined) return null; // written before there was a chain
  if (previous === null) return null; // those before it are in files that were dropped
  if (entry.previous !== previous) {
    return entry.n > n + 1
      ? `lines ${n + 1} to ${entry.n - 1} are missing`
      : `line ${n} is not the one that line ${entry.n} was written after`;
  }
  return entry.n === n + 1 ? null : `line ${entry.n} follows line ${n}`;
}

function fits(entry: LoggedIssuance, { identity, serial, sinceMs }: IssuanceQuery): boolean {
  if (identity !== undefined && entry.identity !== identity) return false;
  if (serial !== undefined && entry.serial !== serial) return false;
  return sinceMs === undefined || Date.parse(entry.time) >= sinceMs;
}

/** A serial as certificates are read here: upper case, no colons, whole octets, none of them zero in front. */
export function plainSerial(text: string): string {
  const digits = text.replaceAll(":", "").toUpperCase();
  return (digits.length % 2 === 0 ? digits : `0${digits}`).replace(/^(00)+(?=..)/, "");
}

function parse(line: string): LoggedIssuance | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value as LoggedIssuance : null;
  } catch {
    return null;
  }
}
