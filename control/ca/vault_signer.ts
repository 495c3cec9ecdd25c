/**
 * Has leafs signed by a PKI of Vault or OpenBao: `POST /v1/<mount>/sign/<role>`. The key of the issuing
 * certificate never comes here; what comes back is judged by {@link issueSvid} before it is handed out.
 */
import { z } from "zod";
import type { Random } from "../../core/clock.ts";
import { decodePem, parseCertificate } from "../../proxy/tls/mod.ts";
import { sameBytes } from "../../proxy/tls/certificate.ts";
import { collect } from "../bytes.ts";
import { AuthorityError } from "./files.ts";
import type { LeafRequest, Signer } from "./signer.ts";
import { BACKDATE_MS } from "./svid.ts";

export const VAULT_LIMITS = {
  /** Requests under way, and how many more may wait for their turn. */
  inFlight: 16,
  waiting: 2000,
  /** One try; a proxy asks again after 10 seconds. */
  timeoutMs: 5000,
  tries: 3,
  /** Before the second try; twice that before the third. Up to half of it is left to chance. */
  backoffMs: 400,
  responseBytes: 256 * 1024,
} as const;

type Limits = { readonly [K in keyof typeof VAULT_LIMITS]: number };

export interface VaultOptions {
  /** `https://vault:8200/v1/pki/sign/denim`. Plain HTTP to this machine only. */
  readonly signUrl: string;
  /** Read anew for every request, so that whoever renews the token only has to write it. */
  readonly tokenFile: string;
  /** PEM of the authorities that may vouch for the server; absent: those of the system. */
  readonly serverCa?: string | undefined;
  readonly limits?: Partial<Limits>;
  readonly random?: Random;
  readonly sleep?: (ms: number) => Promise<void>;
}

const answer = z.object({
  data: z.object({
    certificate: z.string(),
    issuing_ca: z.string().optional(),
    ca_chain: z.array(z.string()).nullish(),
  }),
});

export class VaultSigner implements Signer {
  readonly name: string;
  readonly external = true;
  readonly notAfterMs = Infinity;
  readonly #url: URL;
  readonly #options: VaultOptions;
  readonly #limits: Limits;
  readonly #client: Deno.HttpClient | undefined;
  readonly #waiting: (() => void)[] = [];
  #inFlight = 0;
  #chainPem = "";

  /** Throws AuthorityError when the address is of no use. */
  constructor(options: VaultOptions) {
    this.#url = readUrl(options.signUrl);
    this.#options = options;
    this.#limits = { ...VAULT_LIMITS, ...options.limits };
    this.name = `vault ${this.#url.origin}${this.#url.pathname}`;
    const { serverCa } = options;
    this.#client = serverCa === undefined
      ? undefined
      : Deno.createHttpClient({ caCerts: [serverCa] });
  }

  get chainPem(): string {
    return this.#chainPem;
  }

  async sign({ identity, csrPem, validity }: LeafRequest): Promise<readonly Uint8Array[]> {
    const seconds = Math.floor(
      (validity.notAfterMs - validity.notBeforeMs - BACKDATE_MS) / 1000,
    );
    const body = JSON.stringify({
      csr: csrPem,
      uri_sans: identity,
      ttl: `${Math.max(1, seconds)}s`,
      format: "pem",
      exclude_cn_from_sans: true,
    });
    await this.#enter();
    try {
      const data = await this.#ask(body);
      const chain = chainOf(data);
      this.#chainPem = data.ca_chain?.join("\n") ?? data.issuing_ca ?? "";
      return chain;
    } finally {
      this.#inFlight--;
      this.#waiting.shift()?.();
    }
  }

  close(): void {
    this.#client?.close();
  }

  async #enter(): Promise<void> {
    if (this.#inFlight >= this.#limits.inFlight) {
      if (this.#waiting.length >= this.#limits.waiting) {
        throw new AuthorityError(
          `Cannot ask ${this.name}: ${this.#waiting.length} requests wait for it already`,
        );
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#inFlight++;
  }

  async #ask(body: string): Promise<z.infer<typeof answer>["data"]> {
    const { random = Math.random, sleep = pause } = this.#options;
    for (let attempt = 1;; attempt++) {
      const result = await this.#once(body);
      if (!(result instanceof Failure)) return result;
      if (!result.again || attempt >= this.#limits.tries) {
        throw new AuthorityError(`Cannot have a certificate signed by ${this.name}: ${result.why}`);
      }
      const waitMs = this.#limits.backoffMs * 2 ** (attempt - 1);
      await sleep(waitMs * (0.5 + random() / 2));
    }
  }

  async #once(body: string): Promise<z.infer<typeof answer>["data"] | Failure> {
    const token = await readToken(this.#options.tokenFile);
    let status: number, text: string;
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: { "content-type": "application/json", "x-vault-token": token },
        body,
        // The token must not follow a redirection to wherever it leads.
        redirect: "manual",
        signal: AbortSignal.timeout(this.#limits.timeoutMs),
        ...(this.#client === undefined ? {} : { client: this.#client }),
      });
      status = response.status;
      text = await bodyOf(response, this.#limits.responseBytes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return new Failure(
        true,
        `it cannot be reached: ${reason}. Is it running and unsealed? Proxies go on with the ` +
          "certificates they have, and ask again",
      );
    }
    if (status !== 200) return refusal(status, text);
    const parsed = answer.safeParse(parseJson(text));
    if (parsed.success) return parsed.data.data;
    return new Failure(
      false,
      `its answer is not that of a PKI: wanted data.certificate. Does the address end in ` +
        "/v1/MOUNT/sign/ROLE?",
    );
  }
}

class Failure {
  readonly again: boolean;
  readonly why: string;

  constructor(again: boolean, why: string) {
    this.again = again;
    this.why = why;
  }
}

function refusal(status: number, text: string): Failure {
  const said = z.object({ errors: z.array(z.string()) }).safeParse(parseJson(text));
  const errors = said.success ? said.data.errors.join("; ").trim().slice(0, 500) : "";
  const words = `it answered ${status}${errors === "" ? "" : ` (${errors})`}`;
  if (status === 403) {
    return new Failure(
      false,
      `${words}: the token has expired, or its policy lacks capability "update" for this path`,
    );
  }
  if (status === 404) return new Failure(false, `${words}: there is no such mount or role`);
  if (status === 400) {
    return new Failure(
      false,
      `${words}: the role has to allow URI names of this trust domain (allowed_uri_sans), P-256 ` +
        "keys (key_type=ec), no common name (require_cn=false) and a max_ttl of at least --leaf-ttl",
    );
  }
  if (status === 503) return new Failure(true, `${words}: it is sealed or in maintenance`);
  return new Failure(status >= 500 || status === 429 || status === 412, words);
}

/** Leaf first, then what the answer holds above it, without roots: those peers have. */
function chainOf(data: z.infer<typeof answer>["data"]): Uint8Array[] {
  const chain: Uint8Array[] = [];
  const above = data.ca_chain ?? (data.issuing_ca === undefined ? [] : [data.issuing_ca]);
  for (const pem of [data.certificate, ...above]) {
    for (const der of decodePem(pem, "CERTIFICATE") ?? []) {
      const read = parseCertificate(der);
      const isRoot = typeof read !== "string" && sameBytes(read.issuer, read.subject);
      if (!isRoot && !chain.some((one) => sameBytes(one, der))) chain.push(der);
    }
  }
  return chain;
}

function readUrl(text: string): URL {
  const url = URL.parse(text);
  const isLocal = url !== null && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url === null || !(url.protocol === "https:" || (url.protocol === "http:" && isLocal))) {
    throw new AuthorityError(
      `Cannot use "${text}" for signing: wanted an address such as ` +
        "https://vault:8200/v1/pki/sign/denim (plain http to this machine only)",
    );
  }
  if (!/^\/v1\/.+\/(sign|issuer\/[^/]+\/sign)\/[^/]+$/.test(url.pathname)) {
    throw new AuthorityError(
      `Cannot use "${text}" for signing: its path has to be /v1/MOUNT/sign/ROLE`,
    );
  }
  return url;
}

async function readToken(file: string): Promise<string> {
  try {
    const token = (await Deno.readTextFile(file)).trim();
    if (/^[!-~]+$/.test(token)) return token;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AuthorityError(`Cannot read the signer's token from "${file}": ${reason}`);
  }
  throw new AuthorityError(`Cannot use "${file}": one token, and nothing else, is wanted in it`);
}

/** The text of a response that is not too long; rejects otherwise. */
async function bodyOf(response: Response, maxBytes: number): Promise<string> {
  const bytes = await collect(response.body ?? [], maxBytes);
  if (bytes === null) throw new Error(`its answer is longer than ${maxBytes} bytes`);
  return new TextDecoder().decode(bytes);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
