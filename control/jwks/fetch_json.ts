/** Asks an issuer that whoever runs the control plane has named: bounded, without redirects, over TLS or to this machine. */
import { collect } from "../bytes.ts";

export const FETCH_LIMITS = { bytes: 256 * 1024, timeoutMs: 5000 } as const;

export interface FetchOptions {
  /** PEM of the authorities that may vouch for the provider, beside those of the system. */
  readonly caPem?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a form, by POST. */
  readonly form?: URLSearchParams;
}

/** Why a URL cannot be used, or null. What is not encrypted anybody on the way could answer. */
export function urlProblem(text: string): string | null {
  const url = URL.parse(text);
  if (url === null) return `is "${text}", wanted a URL such as https://login.example.com`;
  const isHere = ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isHere)) {
    return `is "${text}", wanted https (http only on this machine)`;
  }
  if (url.username !== "" || url.password !== "" || url.hash !== "") {
    return "has a user, a password or a fragment, wanted none";
  }
  return null;
}

/** The JSON an address answers with; rejects with a sentence that holds nothing of what was sent. */
export async function fetchJson(url: string, options: FetchOptions = {}): Promise<unknown> {
  const bytes = await fetchBytes(url, options);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Error(`"${url}" did not answer with JSON`);
  }
}

/** The body of a 2xx; rejects as {@link fetchJson} does. */
export async function fetchBytes(url: string, options: FetchOptions = {}): Promise<Uint8Array> {
  const problem = urlProblem(url);
  if (problem !== null) throw new Error(`Cannot ask an address that ${problem}`);
  const { caPem, headers = {}, form } = options;
  using client = caPem === undefined ? undefined : Deno.createHttpClient({ caCerts: [caPem] });
  const response = await fetch(url, {
    method: form === undefined ? "GET" : "POST",
    headers: { accept: "application/json", ...headers },
    // Where a redirect leads nobody has configured.
    redirect: "error",
    signal: AbortSignal.timeout(FETCH_LIMITS.timeoutMs),
    ...(form === undefined ? {} : { body: form }),
    ...(client === undefined ? {} : { client }),
  });
  const bytes = await collect(response.body ?? [], FETCH_LIMITS.bytes);
  if (bytes === null) {
    throw new Error(`"${response.url}" answered with more than ${FETCH_LIMITS.bytes} bytes`);
  }
  if (!response.ok) {
    const code = errorOf(new TextDecoder().decode(bytes));
    throw new Error(`"${url}" answered ${response.status}${code}`);
  }
  return bytes;
}

/** The error code of RFC 6749 5.2, which says what is wrong and nothing else. */
function errorOf(text: string): string {
  const code = /"error"\s*:\s*"([a-z_]{1,40})"/.exec(text)?.[1];
  return code === undefined ? "" : ` (${code})`;
}
