/** Any rival as a pair of sidecars on one core: plaintext in, mTLS between with both certificates checked, plaintext out. */
import { freePorts, type Pinned, untilListening } from "../process.ts";
import { writeCertificates } from "./certificates.ts";

export interface PairPorts {
  readonly client: number;
  readonly server: number;
  readonly origin: number;
}

/** How one kind of proxy is set up and started. */
export interface PairKind {
  /** Its name on PATH. */
  readonly program: string;
  /** The caller's side. `folder` has the certificates. */
  clientConfig(folder: string, ports: PairPorts): string;
  /** The called's side. */
  serverConfig(folder: string, ports: PairPorts): string;
  start(core: number, config: string): Promise<Pinned>;
}

export interface RivalPair extends AsyncDisposable {
  readonly url: string;
  readonly ports: PairPorts;
  /** Of the caller's side and of the called's. */
  readonly pids: readonly number[];
  /** Where its certificates are. */
  readonly folder: string;
}

/** Starts both sides in front of the origin, the called's first. */
export async function startRivalPair(
  kind: PairKind,
  core: number,
  originPort: number,
): Promise<RivalPair> {
  const [client, server] = freePorts(2) as [number, number];
  const ports = { client, server, origin: originPort };
  const folder = await Deno.makeTempDir({ prefix: "denim-bench-" });
  const started: Pinned[] = [];
  const dispose = async (): Promise<void> => {
    for (const one of started) await one[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await writeCertificates(folder);
    started.push(await kind.start(core, kind.serverConfig(folder, ports)));
    await untilListening(server);
    started.push(await kind.start(core, kind.clientConfig(folder, ports)));
    await untilListening(client);
  } catch (problem) {
    await dispose();
    throw problem;
  }
  return {
    url: `http://127.0.0.1:${client}`,
    ports,
    pids: started.map((one) => one.pid).reverse(),
    folder,
    [Symbol.asyncDispose]: dispose,
  };
}
