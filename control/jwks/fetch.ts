/**
 * Fetches one key set: from an address that was looked at, and nowhere else. The name is resolved here, every
 * address judged, and the connection made to the judged one, so that a name that changes its mind between two
 * questions (DNS rebinding) gains nothing.
 */
import { lookup } from "node:dns/promises";
import { type IncomingMessage, request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { isIP } from "node:net";
import type { KeySet } from "../../filters/jwt/keys.ts";
import { collect } from "../bytes.ts";
import { JWKS_LIMITS as LIMITS } from "./limits.ts";
import { hostOf, type JwksPlaces } from "./places.ts";
import { keySetOf } from "./read.ts";

export interface FetchOptions {
  readonly places: JwksPlaces;
  /** Addresses of a host; default: as this machine resolves names. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  readonly timeoutMs?: number;
  /** PEM of the only authorities to believe; default: those of this machine. */
  readonly ca?: string;
}

/** Rejects with the end of a sentence about the URI: `answered 404`. */
export async function fetchJwks(uri: string, options: FetchOptions): Promise<KeySet> {
  const url = new URL(uri);
  const problem = options.places.urlProblem(url);
  if (problem !== null) throw new Error(problem);
  const timeoutMs = options.timeoutMs ?? LIMITS.timeoutMs;
  const late = new AbortController();
  const expired = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    expired.reject(new Error(`did not answer within ${timeoutMs} ms`));
    late.abort();
  }, timeoutMs);
  try {
    return await Promise.race([attempt(url, options, late.signal), expired.promise]);
  } finally {
    clearTimeout(timer);
    late.abort();
  }
}

async function attempt(url: URL, options: FetchOptions, signal: AbortSignal): Promise<KeySet> {
  const host = hostOf(url);
  const found = isIP(host) !== 0 ? [host] : await (options.resolve ?? resolveName)(host);
  const judged = found.map((ip) => ({ ip, problem: options.places.addressProblem(host, ip) }));
  const allowed = judged.filter(({ problem }) => problem === null).slice(0, LIMITS.addresses);
  if (allowed.length === 0) throw new Error(judged[0]?.problem ?? "has no address");
  let last: unknown;
  for (const { ip } of allowed) {
    try {
      return keySetOf(await get(url, ip, options.ca, signal));
    } catch (error) {
      if (signal.aborted) throw error;
      last = error;
    }
  }
  throw last;
}

function get(
  url: URL,
  ip: string,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const host = hostOf(url);
  const tls = url.protocol === "https:";
  const options = {
    host: ip,
    port: url.port === "" ? (tls ? 443 : 80) : Number(url.port),
    path: url.pathname + url.search,
    headers: { host: url.host, accept: "application/json", "accept-encoding": "identity" },
    agent: false,
    signal,
    ...(tls && isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
  };
  const request = (tls ? tlsRequest : plainRequest)(options, (response) => {
    bodyOf(response).then(resolve, (error: unknown) => {
      request.destroy();
      reject(error);
    });
  });
  request.on("error", (error) => reject(new Error(`could not be asked: ${error.message}`)));
  request.end();
  return promise;
}

/** The body of a 200 and of nothing else: a redirect would lead to where nobody has looked. */
async function bodyOf(response: IncomingMessage): Promise<Uint8Array> {
  const { statusCode = 0, headers } = response;
  if (statusCode >= 300 && statusCode < 400) {
    throw new Error(`answered ${statusCode}; redirects are not followed, write where it leads to`);
  }
  if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") throw new Error(`answered in the encoding "${encoding}"`);
  const bytes = await collect(response as AsyncIterable<Uint8Array>, LIMITS.bytes);
  if (bytes === null) throw new Error(`answered with more than ${LIMITS.bytes} bytes`);
  return bytes;
}

async function resolveName(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map((one) => one.address);
  } catch {
    throw new Error("has a host name that cannot be resolved");
  }
}
