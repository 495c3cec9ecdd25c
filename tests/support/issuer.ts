/** An identity provider with real keys: publishes them, signs tokens, and signs browsers in without asking anybody. */
import { KeyObject, sign } from "node:crypto";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";

interface Key {
  readonly kid: string;
  readonly algorithm: string;
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>["privateKey"];
  readonly publicJwk: Record<string, unknown>;
}

export interface IssuerOptions {
  readonly clientId?: string;
  readonly clientSecret?: string;
  /** It is asked over https then, as "localhost", which the certificate has to name. */
  readonly tls?: { readonly chainPem: string; readonly keyPem: string };
}

export interface Grant {
  readonly nonce: string;
  readonly challenge: string;
  readonly redirectUri: string;
}

export class TestIssuer implements AsyncDisposable {
  readonly url: string;
  /** Claims of whoever signs in next. */
  person: JWTPayload = { sub: "ann" };
  /** Changes what `/token` answers with. */
  tamper: (claims: JWTPayload) => JWTPayload = (claims) => claims;
  /** How often keys were asked for. */
  keysAsked = 0;
  /** What was shown when keys were asked for last. */
  authorization: string | null = null;
  /** False: it answers 503 to everything. */
  isUp = true;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #options: IssuerOptions;
  readonly #grants = new Map<string, Grant>();
  #keys: Key[] = [];

  private constructor(options: IssuerOptions) {
    this.#options = options;
    const { tls } = options;
    const place = { hostname: "127.0.0.1", port: 0, onListen() {} };
    const answer = (request: Request) =>
      this.isUp ? this.#answer(request) : new Response("down", { status: 503 });
    this.#server = tls === undefined
      ? Deno.serve(place, answer)
      : Deno.serve({ ...place, cert: tls.chainPem, key: tls.keyPem }, answer);
    const { port } = this.#server.addr;
    this.url = tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
  }

  static async start(options: IssuerOptions = {}): Promise<TestIssuer> {
    const issuer = new TestIssuer(options);
    await issuer.rotate();
    return issuer;
  }

  /** A new key, the only one from now on. */
  async rotate(algorithm = "RS256"): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
    const kid = crypto.randomUUID();
    const publicJwk = { ...await exportJWK(publicKey), kid, alg: algorithm, use: "sig" };
    this.#keys = [{ kid, algorithm, privateKey, publicJwk }];
  }

  keySet(): { keys: unknown[] } {
    return { keys: this.#keys.map((key) => key.publicJwk) };
  }

  /** A token of ours; good for five minutes unless the claims say otherwise. */
  async sign(claims: JWTPayload, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const key = this.#keys[0]!;
    const nowSeconds = Math.floor(Date.now() / 1000);
    return await new SignJWT({ iss: this.url, iat: nowSeconds, exp: nowSeconds + 300, ...claims })
      .setProtectedHeader({ alg: key.algorithm, kid: key.kid, ...header })
      .sign(key.privateKey);
  }

  /** What the library refuses to write. */
  signRaw(header: Readonly<Record<string, unknown>>, claims: JWTPayload): string {
    const key = this.#keys[0]!;
    const encode = (value: unknown): string =>
      new TextEncoder().encode(JSON.stringify(value))
        .toBase64({ alphabet: "base64url", omitPadding: true });
    const nowSeconds = Math.floor(Date.now() / 1000);
    const head = encode({ alg: key.algorithm, kid: key.kid, ...header });
    const text = `${head}.${encode({ iss: this.url, exp: nowSeconds + 300, ...claims })}`;
    const signature = sign(
      "RSA-SHA256",
      new TextEncoder().encode(text),
      KeyObject.from(key.privateKey),
    );
    return `${text}.${signature.toString("base64url")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return Response.json({
          issuer: this.url,
          jwks_uri: `${this.url}/keys`,
          authorization_endpoint: `${this.url}/authorize`,
          token_endpoint: `${this.url}/token`,
        });
      case "/keys":
        this.keysAsked++;
        this.authorization = request.headers.get("authorization");
        return Response.json(this.keySet());
      case "/authorize":
        return this.#authorize(url.searchParams);
      case "/token":
        return await this.#token(request);
      default:
        return new Response("nothing here", { status: 404 });
    }
  }

  #authorize(query: URLSearchParams): Response {
    const { clientId } = this.#options;
    const isAsked = query.get("response_type") === "code" && query.get("client_id") === clientId &&
      query.get("code_challenge_method") === "S256" &&
      (query.get("scope") ?? "").includes("openid");
    if (!isAsked) return new Response("bad request", { status: 400 });
    const code = crypto.randomUUID();
    const redirectUri = query.get("redirect_uri") ?? "";
    const nonce = query.get("nonce") ?? "", challenge = query.get("code_challenge") ?? "";
    this.#grants.set(code, { nonce, challenge, redirectUri });
    const back = new URL(redirectUri);
    back.searchParams.set("code", code);
    back.searchParams.set("state", query.get("state") ?? "");
    return Response.redirect(back.href, 302);
  }

  async #token(request: Request): Promise<Response> {
    const form = new URLSearchParams(await request.text());
    const { clientId = "", clientSecret } = this.#options;
    const wanted = `Basic ${btoa(`${clientId}:${clientSecret}`)}`;
    if (clientSecret !== undefined && request.headers.get("authorization") !== wanted) {
      return Response.json({ error: "invalid_client" }, { status: 401 });
    }
    const grant = this.#grants.get(form.get("code") ?? "");
    this.#grants.delete(form.get("code") ?? "");
    const verifier = new TextEncoder().encode(form.get("code_verifier") ?? "");
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", verifier));
    const challenge = digest.toBase64({ alphabet: "base64url", omitPadding: true });
    const isGranted = grant !== undefined && challenge === grant.challenge &&
      form.get("redirect_uri") === grant.redirectUri;
    if (!isGranted) return Response.json({ error: "invalid_grant" }, { status: 400 });
    const claims = this.tamper({ ...this.person, aud: clientId, nonce: grant.nonce });
    return Response.json({ id_token: await this.sign(claims), token_type: "Bearer" });
  }
}
