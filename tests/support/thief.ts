/** Somebody who stole a proxy's key and certificate, and holds connections with them wherever he can. */
import { connect, type TLSSocket } from "node:tls";
import { CONTROL_ALPN } from "../../control/schema/protocol.ts";
import { createLeaf } from "../../control/ca/certificates.ts";
import { readCsr } from "../../control/ca/csr.ts";
import { readCertificates, readKey } from "../../control/ca/files.ts";
import { pemOf } from "../../control/ca/svid.ts";
import { createKeyAndCsr, MeshIdentity, parseSpiffeId } from "../../proxy/tls/mod.ts";

export interface Held {
  readonly socket: TLSSocket;
  /** On `performance.now`; Infinity while it is open. */
  closedMs: number;
}

/** A leaf for any name, signed with an authority's files: `intermediate.pem` and `.key` in the folder `ca`. */
export async function forge(ca: string, id: string): Promise<{ keyPem: string; chainPem: string }> {
  const [certificate] = await readCertificates(`${ca}/intermediate.pem`) ?? [];
  const key = await readKey(`${ca}/intermediate.key`);
  if (certificate === undefined || key === null) throw new Error(`There is nothing in ${ca}`);
  const { keyPem, csrPem } = createKeyAndCsr();
  const nowMs = Date.now();
  const validity = { notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 3_600_000 };
  const leaf = await createLeaf(id, await readCsr(csrPem), { certificate, key }, validity);
  return { keyPem, chainPem: pemOf(leaf) + pemOf(certificate) };
}

export class Thief implements Disposable {
  readonly identity: MeshIdentity;
  readonly #held: Held[] = [];

  private constructor(identity: MeshIdentity) {
    this.identity = identity;
  }

  /** Takes what the proxy with this state folder has on its disk. */
  static async of(state: string): Promise<Thief> {
    return new Thief(
      new MeshIdentity(JSON.parse(await Deno.readTextFile(`${state}/identity.json`))),
    );
  }

  /** Takes a name with an authority's files that he has read. */
  static async forging(ca: string, id: string, bundle: string): Promise<Thief> {
    const { trustDomain } = parseSpiffeId(id)!;
    const forged = await forge(ca, id);
    return new Thief(new MeshIdentity({ trustDomain, ...forged, bundle: [bundle] }));
  }

  /** Opens a connection and waits until it was let in: to a sidecar it answered a request, to the control plane it stands. */
  async hold(address: string, control = false): Promise<Held> {
    const held = this.#dial(address, control);
    const { socket } = held;
    await new Promise<void>((resolve, reject) => {
      socket.on("close", () => reject(new Error(`${address} let the thief not in`)));
      socket.on("secureConnect", () => {
        if (control) {
          socket.resume(); // who does not read does not see the end
          return resolve();
        }
        socket.write("GET / HTTP/1.1\r\nhost: app\r\n\r\n");
        socket.once("data", () => resolve());
      });
    });
    this.#held.push(held);
    return held;
  }

  /** Whether a new connection is let in now. */
  async isLetIn(address: string): Promise<boolean> {
    const { socket } = this.#dial(address, false);
    return await new Promise((resolve) => {
      socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nhost: app\r\n\r\n"));
      socket.once("data", () => {
        resolve(true);
        socket.destroy();
      });
      socket.on("close", () => resolve(false));
    });
  }

  /** Resolves when none of the connections he holds is open. */
  async allClosed(): Promise<void> {
    await Promise.all(this.#held.map(({ socket, closedMs }) => {
      if (closedMs < Infinity) return;
      return new Promise<void>((resolve) => socket.on("close", () => resolve()));
    }));
  }

  /** Resolves when every one of `addresses` lets him in. */
  async isWelcome(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) {
      while (!await this.isLetIn(address)) { /* knocks again */ }
    }
  }

  get held(): readonly Held[] {
    return this.#held;
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.#held) socket.destroy();
  }

  #dial(address: string, control: boolean): Held {
    const colon = address.lastIndexOf(":");
    const socket = connect({
      host: address.slice(0, colon),
      port: Number(address.slice(colon + 1)),
      ...this.identity.connectOptions(undefined, control ? CONTROL_ALPN : ["http/1.1"]),
    });
    const held: Held = { socket, closedMs: Infinity };
    socket.on("error", () => {});
    socket.on("close", () => held.closedMs = performance.now());
    // A half-open end would hide that the other side has closed.
    socket.on("end", () => socket.end());
    return held;
  }
}
