/** Figures as people read them. Unknown is an en dash, never 0. */

export const UNKNOWN = "–";

export function rate(perSecond: number): string {
  if (perSecond === 0) return "0";
  if (perSecond < 10) return perSecond.toFixed(1);
  return count(Math.round(perSecond));
}

export function count(value: number): string {
  if (value < 10_000) return String(Math.round(value));
  if (value < 1e6) return `${trim(value / 1e3)} k`;
  if (value < 1e9) return `${trim(value / 1e6)} M`;
  return `${trim(value / 1e9)} G`;
}

export function percent(share: number | null): string {
  if (share === null) return UNKNOWN;
  // 99.96 % must not read as 100 %: an operator looks at exactly that difference.
  const value = share * 100;
  if (value === 100 || value === 0) return `${value} %`;
  const shown = Math.floor(value * 100) / 100;
  return `${shown.toFixed(shown >= 99 ? 2 : 1)} %`;
}

export function millis(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${trim(ms)} ms`;
  if (ms < 10_000) return `${Math.round(ms)} ms`;
  return `${trim(ms / 1000)} s`;
}

export function micros(us: number): string {
  return us < 1000 ? `${trim(us)} µs` : millis(us / 1000);
}

export function bytes(value: number | null): string {
  if (value === null) return UNKNOWN;
  if (value < 1024) return `${value} B`;
  if (value < 1024 ** 2) return `${trim(value / 1024)} KiB`;
  if (value < 1024 ** 3) return `${trim(value / 1024 ** 2)} MiB`;
  return `${trim(value / 1024 ** 3)} GiB`;
}

/** A length of time in its largest unit, e.g. `3 min`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function ago(thenMs: number, nowMs: number): string {
  return nowMs - thenMs < 1500 ? "just now" : `${duration(nowMs - thenMs)} ago`;
}

export function until(thenMs: number | null, nowMs: number): string {
  if (thenMs === null) return UNKNOWN;
  return thenMs <= nowMs ? "expired" : `in ${duration(thenMs - nowMs)}`;
}

/** The start of a hash, enough to tell two apart by eye. */
export function short(hash: string): string {
  return hash.replace(/^sha256:/, "").slice(0, 10);
}

/** `href` only when it leads to the web; anything else (`javascript:`) is not a link. */
export function webLink(href: string): string | null {
  const url = URL.parse(href);
  return url !== null && (url.protocol === "https:" || url.protocol === "http:") ? url.href : null;
}

function trim(value: number): string {
  return value < 10 ? value.toFixed(1).replace(/\.0$/, "") : String(Math.round(value));
}
