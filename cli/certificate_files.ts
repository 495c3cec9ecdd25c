/** Certificates in files, as `tls.options` of a listener names them: read as Secrets, again when they change. */
import { dirname, resolve } from "node:path";
import { CERTIFICATE_FILE, type Gateway, KEY_FILE } from "../control/schema/gateway.ts";
import type { Resource } from "../control/schema/kinds.ts";
import { type DocumentError, parseDocuments } from "../control/schema/parse.ts";

/** A file larger than this holds no certificate. */
const MAX_FILE_BYTES = 64 * 1024;

interface Pair {
  readonly gateway: Gateway;
  readonly at: number;
  /** Of the Secret it is read as. */
  readonly secret: string;
  readonly certificate: string;
  readonly key: string;
}

export interface FileProblem extends Omit<DocumentError, "document"> {}

export class CertificateFiles {
  readonly #resources: readonly Resource[];
  readonly #pairs: readonly Pair[];
  #read = "";

  /** Of the Gateways in `resources`, which stand in `file`: paths are relative to it. */
  constructor(resources: readonly Resource[], file: string) {
    const pairs: Pair[] = [];
    this.#resources = resources.map((one) => {
      if (one.kind !== "Gateway") return one;
      const listeners = one.spec.listeners.map((listener, at) => {
        const { tls } = listener;
        if (tls?.options === undefined) return listener;
        const secret = `file.${one.metadata.name}.${listener.name}`;
        const place = (name: string): string => resolve(dirname(file), name);
        const [certificate, key] = [tls.options[CERTIFICATE_FILE], tls.options[KEY_FILE]];
        pairs.push({
          gateway: one,
          at,
          secret,
          certificate: place(certificate),
          key: place(key),
        });
        const { options: _options, ...rest } = tls;
        return { ...listener, tls: { ...rest, certificateRefs: [{ name: secret }] } };
      });
      return { ...one, spec: { ...one.spec, listeners } };
    });
    this.#pairs = pairs;
  }

  get some(): boolean {
    return this.#pairs.length > 0;
  }

  /** All resources with what the files hold now; null when that is what they held the last time. */
  async read(): Promise<
    | {
      readonly resources: readonly Resource[];
      readonly keys: ReadonlyMap<string, string>;
      readonly problems: readonly FileProblem[];
    }
    | null
  > {
    const problems: FileProblem[] = [];
    const texts: string[] = [];
    const secrets: unknown[] = [];
    for (const pair of this.#pairs) {
      const pems: string[] = [];
      for (const path of [pair.certificate, pair.key]) {
        try {
          pems.push(await readText(path));
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          problems.push(problemOf(pair, `names "${path}", which cannot be read: ${reason}`));
        }
      }
      texts.push(...pems);
      secrets.push({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: pair.secret, namespace: pair.gateway.metadata.namespace },
        type: "kubernetes.io/tls",
        stringData: { "tls.crt": pems[0] ?? "", "tls.key": pems[1] ?? "" },
      });
    }
    const read = JSON.stringify(texts);
    if (read === this.#read) return null;
    this.#read = read;
    if (problems.length > 0) return { resources: this.#resources, keys: new Map(), problems };
    const { resources, errors, keys } = parseDocuments(secrets);
    for (const { document, path, message } of errors) {
      problems.push(problemOf(this.#pairs[document]!, `: ${path} ${message}`));
    }
    return { resources: [...this.#resources, ...resources], keys, problems };
  }
}

function problemOf({ gateway, at }: Pair, message: string): FileProblem {
  const { namespace, name } = gateway.metadata;
  return {
    resource: `Gateway ${namespace}/${name}`,
    path: `spec.listeners[${at}].tls.options`,
    message,
  };
}

async function readText(path: string): Promise<string> {
  const { size } = await Deno.stat(path);
  if (size > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
  return await Deno.readTextFile(path);
}
