/**
 * Fetches another trust domain's bundle: over TLS that is judged by that domain's own bundle
 * (https_spiffe) or by public authorities (https_web), from an address that was looked at first.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { connect, type ConnectionOptions } from "node:tls";
import { concat } from "../../core/bytes.ts";
import { joinOptions, readTrustBundle } from "../../proxy/tls/mod.ts";
import { isPublicAddress } from "../jwks/places.ts";
import type { FederatedDomain } from "../schema/federation.ts";
import { MAX_DOCUMENT_BYTES } from "./document.ts";

export const FETCH_TIMEOUT_MS = 10_000;
const MAX_HEAD_BYTES = 16 * 1024;

export type Resolve = (host: string) => Promise<readonly string[]>;

/** The text of the document; rejects with a sentence. `bundle` is the newest one known of that domain. */
export async function fetchDocument(
  domain: FederatedDomain,
  bundle: readonly string[] | null,
  resolve: Resolve = addressesOf,
): Promise<string> {
  const url = new URL(domain.endpoint.url);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const addresses = isIP(host) !== 0 ? [host] : await resolve(host);
  const [address] = addresses;
  if (address === undefined) throw new Error(`the host "${host}" has no address`);
  const inner = addresses.find((one) => !isPublicAddress(one));
  // Whoever may configure this would have the control plane call any address inside (SSRF).
  if (inner !== undefined && domain.allowPrivateAddresses !== true) {
    throw new Error(
      `the host "${host}" leads to ${inner}, which is no public address; if it is right, set ` +
        "allowPrivateAddresses",
    );
  }
  // The address that was judged is the address that is called.
  const place = { host: address, port: Number(url.port || 443) };
  const options = { ...securityOf(domain, bundle, host), ...place };
  return await get(options, url);
}

async function addressesOf(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map((one) => one.address);
}

function securityOf(
  { trustDomain, endpoint, ca }: FederatedDomain,
  bundle: readonly string[] | null,
  host: string,
): ConnectionOptions {
  if (endpoint.profile === "https_web") {
    return {
      servername: isIP(host) === 0 ? host : "",
      ...(ca === undefined ? {} : { ca: [ca] }),
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      ALPNProtocols: ["http/1.1"],
    };
  }
  if (bundle === null) {
    throw new Error("there is no bundle yet by which its endpoint could be judged");
  }
  const trust = readTrustBundle(trustDomain, bundle);
  return joinOptions(trust, endpoint.spiffeId!, { alpn: ["http/1.1"] });
}

/** One request by HTTP/1.0, whose response ends with the connection or its length. */
function get(options: ConnectionOptions, url: URL): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(options);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const late = setTimeout(
    () => fail(`it did not answer within ${FETCH_TIMEOUT_MS} ms`),
    FETCH_TIMEOUT_MS,
  );
  const fail = (reason: string): void => {
    reject(new Error(reason));
    socket.destroy();
  };
  socket.on("secureConnect", () => {
    if (socket.isSessionReused()) return fail("the connection resumes an earlier session");
    socket.write(
      `GET ${url.pathname}${url.search} HTTP/1.0\r\nHost: ${url.host}\r\n` +
        "Accept: application/json\r\nConnection: close\r\n\r\n",
    );
  });
  socket.on("data", (part: Uint8Array) => {
    bytes += part.length;
    if (bytes > MAX_DOCUMENT_BYTES + MAX_HEAD_BYTES) {
      return fail(`its answer is longer than ${MAX_DOCUMENT_BYTES} bytes`);
    }
    parts.push(new Uint8Array(part));
    const whole = bodyOf(parts, false);
    if (whole !== null) done(whole);
  });
  const done = (body: string | Error): void => {
    if (body instanceof Error) return fail(body.message);
    resolve(body);
    socket.destroy();
  };
  socket.on("end", () => done(bodyOf(parts, true) ?? new Error("its answer breaks off")));
  socket.on("error", (error: Error) => fail(error.message));
  socket.on("close", () => {
    clearTimeout(late);
    reject(new Error("it closed the connection without an answer"));
  });
  return promise;
}

/** The body as soon as it is whole; null while it is not; an error when there will be none. */
function bodyOf(parts: readonly Uint8Array[], ended: boolean): string | Error | null {
  const bytes = concat(parts);
  const text = new TextDecoder("latin1").decode(bytes);
  const split = text.indexOf("\r\n\r\n");
  if (split < 0) return null;
  const [status = "", ...lines] = text.slice(0, split).split("\r\n");
  const code = /^HTTP\/1\.[01] (\d{3})( |$)/.exec(status)?.[1];
  if (code === undefined) return new Error("it does not speak HTTP/1");
  if (code !== "200") return new Error(`it answered ${code}`);
  const field = (name: string): string | undefined =>
    lines.find((line) => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1).trim();
  if (field("transfer-encoding") !== undefined) {
    return new Error("it answered in chunks to HTTP/1.0");
  }
  const body = bytes.subarray(split + 4);
  const length = field("content-length");
  if (length === undefined) return ended ? new TextDecoder().decode(body) : null;
  if (body.length < Number(length)) return null;
  return new TextDecoder().decode(body.subarray(0, Number(length)));
}
