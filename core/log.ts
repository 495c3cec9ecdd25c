/** JSON log lines. Every value passes through JSON, so a client's bytes cannot forge a line or a terminal escape. */
import { redact } from "./redact.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogValue = string | number | boolean | null | undefined;
export type LogFields = Readonly<Record<string, LogValue>>;

/** Writes one line per call: `{"time", "level", "msg", …fields}`. */
export interface Log {
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
  /** A log whose lines all carry `fields`. */
  with(fields: LogFields): Log;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const TERMINAL = /[\u007f-\u009f]/g;

/** `write` gets each line without its newline. */
export function createLog(
  write: (line: string) => void,
  options: { level?: LogLevel; nowMs?: () => number; fields?: LogFields } = {},
): Log {
  const least = RANK[options.level ?? "info"];
  const now = options.nowMs ?? Date.now;
  const line = (level: LogLevel, msg: string, fields: LogFields | undefined): void => {
    if (RANK[level] < least) return;
    const record = {
      time: new Date(now()).toISOString(),
      level,
      msg,
      ...options.fields,
      ...fields,
    };
    const text = JSON.stringify(record);
    write(
      redact(text).replace(TERMINAL, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`),
    );
  };
  return {
    debug: (msg, fields) => line("debug", msg, fields),
    info: (msg, fields) => line("info", msg, fields),
    warn: (msg, fields) => line("warn", msg, fields),
    error: (msg, fields) => line("error", msg, fields),
    with: (fields) => createLog(write, { ...options, fields: { ...options.fields, ...fields } }),
  };
}

/** Lines to standard error, synchronously: a crash loses none. */
export function stderrLog(level: LogLevel = "info", fields: LogFields = {}): Log {
  const encoder = new TextEncoder();
  return createLog((text) => Deno.stderr.writeSync(encoder.encode(text + "\n")), { level, fields });
}

/** Swallows everything. */
export const silentLog: Log = createLog(() => {}, { level: "error" });
