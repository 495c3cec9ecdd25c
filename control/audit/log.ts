/**
 * The audit log: who did what, when, from where, and with which result. Changes and refusals go to files
 * of their own, so that nobody can push a change out of the log by being refused often enough.
 */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { redact } from "../../core/redact.ts";
import { ensureFolder } from "../files.ts";
import { LineFile, type LineFileLimits } from "../store/line_file.ts";

export const AUDIT_LIMITS = {
  /** Of each of the two files; with those put aside at most 288 MiB. */
  file: { maxBytes: 16 * 1024 * 1024, kept: 8 } satisfies LineFileLimits,
  /** Refusals written within a minute; the rest is counted in the next line. */
  refusalsPerMinute: 300,
  /** Entries that may be asked for at one time. */
  recent: 1000,
  textChars: 500,
} as const;

const MINUTE_MS = 60_000;

export interface AuditEntry {
  /** Grows from entry to entry, over both files and restarts: microseconds, more or less. */
  readonly id: number;
  /** ISO 8601. */
  readonly time: string;
  readonly who: string;
  /** How they proved it: `admin-token`, `token`, `oidc`, `session`, `join-token`, `kubernetes`, `none`. */
  readonly proof: string;
  /** Address the request came from. */
  readonly from: string;
  /** `POST /apply`, `join`. */
  readonly what: string;
  /** What it was about, in words; "" when the call says it all. */
  readonly target: string;
  readonly result: "done" | "refused" | "failed";
  /** Code of the error, "" for none. */
  readonly code: string;
  /** Refusals since the last line that were too many to be written. */
  readonly unwritten?: number;
}

export type AuditRecord = Omit<AuditEntry, "id" | "time" | "unwritten">;

export interface AuditQuery {
  readonly limit: number;
  readonly result?: AuditEntry["result"] | undefined;
}

export interface AuditLogOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: { readonly refusalsPerMinute?: number; readonly file?: LineFileLimits };
}

export class AuditLog {
  readonly #changes: LineFile;
  readonly #refusals: LineFile;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #refusalsPerMinute: number;
  #minuteStartMs = -Infinity;
  #refused = 0;
  #unwritten = 0;
  #broken = false;
  #id = 0;

  private constructor(dir: string, { clock, log, limits = {} }: AuditLogOptions) {
    const file = limits.file ?? AUDIT_LIMITS.file;
    this.#changes = new LineFile(`${dir}/changes.jsonl`, file);
    this.#refusals = new LineFile(`${dir}/refused.jsonl`, file);
    this.#clock = clock;
    this.#log = log;
    this.#refusalsPerMinute = limits.refusalsPerMinute ?? AUDIT_LIMITS.refusalsPerMinute;
  }

  /** Opens the log kept in `dir`; its owner alone may read it. */
  static async open(dir: string, options: AuditLogOptions): Promise<AuditLog> {
    await ensureFolder(dir);
    const audit = new AuditLog(dir, options);
    for (const file of [audit.#changes, audit.#refusals]) file.mend();
    return audit;
  }

  /** Never throws: what was done stays done. A log that could not be written is told and remembered. */
  record(record: AuditRecord): void {
    const nowMs = this.#clock.nowMs();
    if (record.result === "refused" && this.#isTooOften(nowMs)) return void this.#unwritten++;
    this.#id = Math.max(this.#id + 1, nowMs * 1000);
    const entry: AuditEntry = {
      id: this.#id,
      time: new Date(nowMs).toISOString(),
      who: short(record.who),
      proof: record.proof,
      from: record.from,
      what: short(record.what),
      target: short(record.target),
      result: record.result,
      code: record.code,
      ...(this.#unwritten === 0 ? {} : { unwritten: this.#unwritten }),
    };
    const isRefusal = record.result === "refused";
    const file = isRefusal ? this.#refusals : this.#changes;
    try {
      // Who floods us with what is refused must not keep the disk busy as well.
      file.append(JSON.stringify(entry), { sync: !isRefusal });
      this.#unwritten = 0;
      this.#broken = false;
    } catch (error) {
      this.#broken = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.error("audit.not_written", { ...entry, reason });
    }
  }

  /** False while the log cannot be written: then nothing may be changed. Writes that it can be again. */
  isWritable(): boolean {
    if (!this.#broken) {
      this.#broken = !this.#changes.opens();
      return !this.#broken;
    }
    this.record({
      who: "control plane",
      proof: "none",
      from: "",
      what: "audit log",
      target: "could not be written and can be again",
      result: "done",
      code: "",
    });
    return !this.#broken;
  }

  /** The newest entries first. */
  async recent({ limit, result }: AuditQuery): Promise<AuditEntry[]> {
    const most = Math.min(limit, AUDIT_LIMITS.recent);
    const changes = result === "refused" ? [] : await take(this.#changes, most, result);
    const refusals = result === undefined || result === "refused"
      ? await take(this.#refusals, most, result)
      : [];
    return [...changes, ...refusals].sort((a, b) => b.id - a.id).slice(0, most);
  }

  #isTooOften(nowMs: number): boolean {
    if (Math.abs(nowMs - this.#minuteStartMs) >= MINUTE_MS) {
      this.#minuteStartMs = nowMs;
      this.#refused = 0;
    }
    return ++this.#refused > this.#refusalsPerMinute;
  }
}

async function take(
  file: LineFile,
  limit: number,
  result: AuditEntry["result"] | undefined,
): Promise<AuditEntry[]> {
  const found: AuditEntry[] = [];
  if (limit <= 0) return found;
  for await (const line of file.newestFirst()) {
    const entry = parse(line);
    if (entry === null || (result !== undefined && entry.result !== result)) continue;
    found.push(entry);
    if (found.length === limit) break;
  }
  return found;
}

/** A line that a power cut left half written is nobody's entry. */
function parse(line: string): AuditEntry | null {
  try {
    return JSON.parse(line) as AuditEntry;
  } catch {
    return null;
  }
}

function short(text: string): string {
  return redact(text).slice(0, AUDIT_LIMITS.textChars);
}
