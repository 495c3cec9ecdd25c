/** Public certificates for tests, and a TLS client that says what it was shown. */
import { connect, type TLSSocket } from "node:tls";
import { TestDomain, type TestSvid } from "./ca.ts";

/** An authority as browsers trust one; issues leafs for host names. */
export class PublicAuthority {
  readonly #domain = new TestDomain("public.test", { name: "Public" });

  get rootPem(): string {
    return this.#domain.rootPem;
  }
  issue(...dnsNames: string[]): TestSvid {
    return this.#domain.issue("x", { uris: [], dnsNames });
  }
}

/** A Secret of type kubernetes.io/tls as people write it. */
export function tlsSecret(name: string, { chainPem, keyPem }: TestSvid): unknown {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name },
    type: "kubernetes.io/tls",
    data: { "tls.crt": btoa(chainPem), "tls.key": btoa(keyPem) },
  };
}

/** The Gateway `edge`: a listener in plaintext, and one of HTTPS for `hostname` by a Secret's certificate. */
export function edgeWithTls(hostname: string, secret: string) {
  const tls = { mode: "Terminate", certificateRefs: [{ name: secret }] };
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "edge" },
    spec: {
      listeners: [
        { name: "http", port: 0, protocol: "HTTP" },
        { name: "https", port: 0, protocol: "HTTPS", hostname, tls },
      ],
    },
  };
}

export interface Hello {
  readonly place: string;
  readonly servername: string;
  readonly ca: string;
  readonly alpn?: readonly string[];
}

/** A verified connection; rejects when the handshake fails. */
export function dialTls({ place, servername, ca, alpn = ["http/1.1"] }: Hello): Promise<TLSSocket> {
  const [host, port] = place.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: host!,
      port: Number(port),
      servername,
      ca,
      ALPNProtocols: [...alpn],
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed during the handshake")));
    socket.once("secureConnect", () => resolve(socket));
  });
}

/** Sends raw bytes and gives back everything until the other end closes. */
export function ask(socket: TLSSocket, raw: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (bytes: Uint8Array) => text += new TextDecoder("latin1").decode(bytes));
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    socket.write(raw);
  });
}
