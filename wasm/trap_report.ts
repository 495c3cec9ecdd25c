/**
 * What is kept of a trap: enough to run it again. Sizes are limited, and what looks like a secret is taken
 * out: values of headers that carry credentials, of parameters named like one, and tokens by their form.
 */
import type { FilterContext } from "../core/filter.ts";
import { redact } from "../core/redact.ts";
import { SENSITIVE_HEADERS } from "./permissions.ts";

export const TRAP_LIMITS = {
  /** Reports kept of one filter in one proxy, and of all of them. */
  perFilter: 4,
  all: 32,
  /** Of these, as many go into each report to the control plane: the newest. */
  reported: 16,
  /** Host calls of the call that trapped, the last ones, and the length of one as text. */
  hostCalls: 32,
  hostCallChars: 200,
  headers: 64,
  headerChars: 512,
  /** Of all names and values of one message. */
  headersChars: 8192,
  pathChars: 2048,
  /** Bytes of a body that had come when it trapped. */
  bodyBytes: 4096,
} as const;

export interface TrapBody {
  /** UTF-8 text, or base64 where the bytes are none. */
  readonly text?: string | undefined;
  readonly base64?: string | undefined;
  /** All that had come; the report has the beginning. */
  readonly bytes: number;
}

export interface TrapInput {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  /** Name, value, … */
  readonly headers: readonly string[];
  readonly peer: string;
  readonly body?: TrapBody | undefined;
  readonly response?: {
    readonly status: number;
    readonly headers: readonly string[];
    readonly body?: TrapBody | undefined;
  } | undefined;
}

export interface TrapReport {
  /** Unique in one proxy; later ones sort behind. */
  readonly id: string;
  /** FilterBinding, `namespace/name`. */
  readonly filter: string;
  readonly digest: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly kind: string;
  /** One line, with function names. */
  readonly text: string;
  /** The callback that was entered. */
  readonly entry: string;
  readonly fuelUsed: number;
  readonly fuelLimit: number;
  readonly memoryBytes: number;
  /** `proxy_log(2, "text") = 0`, oldest first. */
  readonly hostCalls: readonly string[];
  readonly route: string;
  readonly backend: string;
  readonly revision: string;
  /** Null: no exchange was concerned. */
  readonly input: TrapInput | null;
}

const SENSITIVE: ReadonlySet<string> = new Set(SENSITIVE_HEADERS);
const SECRET_PARAMETER =
  /([?&;](?:[a-z_]*token|api_?key|key|password|passwd|secret|code|sig|signature|session)=)[^&;#]*/gi;
export const REDACTED = "[redacted]";

export function isSensitive(header: string): boolean {
  return SENSITIVE.has(header);
}

/** A text of a report: cut, and without what looks like a secret. */
export function told(text: string, chars: number): string {
  return redact(text).slice(0, chars);
}

/** The exchange as it is now; `bodies` are the bytes held of request and response. */
export function inputOf(
  exchange: FilterContext,
  bodies: readonly [Uint8Array | null, Uint8Array | null],
): TrapInput {
  const { method, scheme, authority, path, fields } = exchange.request;
  const { response } = exchange;
  return {
    method,
    scheme,
    authority: told(authority, 256),
    path: told(path, TRAP_LIMITS.pathChars).replace(SECRET_PARAMETER, `$1${REDACTED}`),
    headers: headersOf(fields.lines),
    peer: exchange.peer,
    ...bodyMember(bodies[0]),
    ...(response === null ? {} : {
      response: {
        status: response.status,
        headers: headersOf(response.fields.lines),
        ...bodyMember(bodies[1]),
      },
    }),
  };
}

function headersOf(lines: readonly string[]): string[] {
  const out: string[] = [];
  let chars = 0;
  for (let i = 0; i < Math.min(lines.length, 2 * TRAP_LIMITS.headers); i += 2) {
    const name = lines[i]!.slice(0, 256);
    const value = isSensitive(name) ? REDACTED : told(lines[i + 1]!, TRAP_LIMITS.headerChars);
    chars += name.length + value.length;
    if (chars > TRAP_LIMITS.headersChars) break;
    out.push(name, value);
  }
  return out;
}

function bodyMember(bytes: Uint8Array | null): { body?: TrapBody } {
  if (bytes === null || bytes.length === 0) return {};
  const head = bytes.subarray(0, TRAP_LIMITS.bodyBytes);
  // The cut may be in the midst of a character: then the beginning of it goes.
  const decoded = new TextDecoder().decode(head).replace(/\ufffd{1,3}$/, "");
  if (!decoded.includes("\ufffd")) return { body: { text: redact(decoded), bytes: bytes.length } };
  let binary = "";
  for (const byte of head) binary += String.fromCharCode(byte);
  return { body: { base64: btoa(binary), bytes: bytes.length } };
}
