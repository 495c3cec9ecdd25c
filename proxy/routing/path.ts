/**
 * One spelling for every path, so that the string that is routed and authorised is the string that is
 * forwarded: RFC 3986 6.2.2 normalisation and merged slashes; what two servers may read differently is refused.
 */
import { charCode } from "../../core/chars.ts";

const SLASH = 0x2f, DOT = 0x2e, PERCENT = 0x25, QUERY = 0x3f, HASH = 0x23, BACKSLASH = 0x5c;
const SEMICOLON = 0x3b;

/** What becomes of an escaped slash or backslash; `keep` is for upstreams that want it, such as package registries. */
export type EscapedSlashes = "reject" | "keep";

/**
 * The normalised request target, the very same string when there was nothing to do, or null when it
 * must be refused: a backslash, a fragment, a broken or NUL escape, an escaped slash, backslash or dot
 * segment, or a dot segment with parameters. The query is not touched. `*` (OPTIONS) stays.
 */
export function normalizePath(
  target: string,
  escapedSlashes: EscapedSlashes = "reject",
): string | null {
  if (charCode(target, 0) !== SLASH) return target === "*" ? target : null;
  let before = 0;
  for (let i = 0; i < target.length; i++) {
    const code = charCode(target, i);
    if (code === QUERY) return target.indexOf("#", i) < 0 ? target : null;
    if (code === PERCENT || code === BACKSLASH || code === HASH) {
      return rewritten(target, escapedSlashes);
    }
    if (before === SLASH && (code === SLASH || code === DOT)) {
      return rewritten(target, escapedSlashes);
    }
    before = code;
  }
  return target;
}

function rewritten(target: string, escapedSlashes: EscapedSlashes): string | null {
  if (target.includes("#")) return null;
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  if (path.includes("\\")) return null;
  const normal = path.includes("%") ? unescaped(path, escapedSlashes) : path;
  if (normal === null) return null;
  const clean = withoutDots(normal);
  if (clean === null) return null;
  if (clean === path) return target;
  return mark < 0 ? clean : clean + target.slice(mark);
}

/** Unreserved characters as themselves, other escapes in upper case (RFC 3986 6.2.2.1 and 6.2.2.2). */
function unescaped(path: string, escapedSlashes: EscapedSlashes): string | null {
  let out = "";
  let from = 0;
  for (let at = path.indexOf("%"); at >= 0; at = path.indexOf("%", at + 3)) {
    const code = escapeCode(path, at);
    if (code <= 0) return null; // broken, or NUL
    // An escaped slash or backslash splits a segment for one server and not for another.
    const splits = code === SLASH || code === BACKSLASH;
    if (splits && (escapedSlashes === "reject" || hidesSteps(path, at))) return null;
    out += path.slice(from, at);
    if (code === DOT) {
      if (hidesDots(path, at)) return null;
      out += ".";
    } else if (isUnreserved(code)) out += String.fromCharCode(code);
    else out += path.slice(at, at + 3).toUpperCase();
    from = at + 3;
  }
  return out + path.slice(from);
}

/** Whether the segment around `at` is `.` or `..` once unescaped: nobody writes that by accident. */
function hidesDots(path: string, at: number): boolean {
  return /^(?:\.|%2[eE]){1,2}(?:;|$)/.test(segmentAround(path, at));
}

/** Whether a server that unescapes slashes would find an empty or a dot segment in the one around `at`. */
function hidesSteps(path: string, at: number): boolean {
  return segmentAround(path, at).split(/%2f|%5c/i).some((part) =>
    part === "" || /^(?:\.|%2e){1,2}(?:;|$)/i.test(part)
  );
}

function segmentAround(path: string, at: number): string {
  const slash = path.indexOf("/", at);
  return path.slice(path.lastIndexOf("/", at) + 1, slash < 0 ? path.length : slash);
}

/** RFC 3986 5.2.4, and runs of slashes as one. */
function withoutDots(path: string): string | null {
  const kept: string[] = [];
  const segments = path.split("/");
  const last = segments.length - 1;
  for (let i = 1; i <= last; i++) {
    const segment = segments[i]!;
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") {
      if (dotsWithParameters(segment)) return null;
      kept.push(segment);
      continue;
    }
    if (i === last) kept.push(""); // `/a/`, `/a/.` and `/a/b/..` name the directory
  }
  return `/${kept.join("/")}`;
}

/** `/..;x/` is a segment for us and a step up for servers that cut parameters off first. */
function dotsWithParameters(segment: string): boolean {
  if (charCode(segment, 0) !== DOT) return false;
  const at = charCode(segment, 1) === DOT ? 2 : 1;
  return charCode(segment, at) === SEMICOLON;
}

/** The byte of the escape at `at`, -1 when it is broken. */
function escapeCode(path: string, at: number): number {
  const high = hex(charCode(path, at + 1)), low = hex(charCode(path, at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hex(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

function isUnreserved(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x61 && code <= 0x7a) || code === 0x2d || code === 0x5f || code === 0x7e;
}
