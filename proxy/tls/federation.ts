/**
 * Bundles of other trust domains. Each judges peers that bear a name of its own domain and no others, so
 * that a root of one domain never vouches for a name of another.
 */
import { isSameBundle, readTrustBundle, type TrustBundle } from "./bundle.ts";
import { parseCertificate } from "./certificate.ts";
import { parseSpiffeId } from "./spiffe.ts";

/** Trust domains one proxy believes beside its own. */
export const MAX_FEDERATED_DOMAINS = 16;

/** The bundle of another trust domain, PEM. */
export interface ForeignBundle {
  readonly domain: string;
  readonly bundle: readonly string[];
}

export class Federation {
  readonly #bundles: ReadonlyMap<string, TrustBundle>;
  /** Every certificate of every bundle, PEM. */
  readonly pem: readonly string[];

  private constructor(bundles: ReadonlyMap<string, TrustBundle>) {
    this.#bundles = bundles;
    this.pem = [...bundles.values()].flatMap((bundle) => bundle.pem);
  }

  static readonly none: Federation = new Federation(new Map());

  /** Throws TypeError with what is wrong. Bundles that stay the same keep what they have vouched for. */
  static read(own: string, list: readonly ForeignBundle[], current: Federation): Federation {
    if (list.length > MAX_FEDERATED_DOMAINS) {
      throw new TypeError(
        `Cannot federate with ${list.length} trust domains: at most ${MAX_FEDERATED_DOMAINS} are allowed`,
      );
    }
    const bundles = new Map<string, TrustBundle>();
    for (const { domain, bundle } of list) {
      // A second bundle for our own names would be a second authority.
      if (domain === own || bundles.has(domain)) {
        throw new TypeError(`Cannot federate with "${domain}": it has a bundle already`);
      }
      const known = current.#bundles.get(domain);
      const same = known !== undefined && isSameBundle(known, domain, bundle);
      bundles.set(domain, same ? known : readTrustBundle(domain, bundle));
    }
    return new Federation(bundles);
  }

  isSame(list: readonly ForeignBundle[]): boolean {
    return list.length === this.#bundles.size && list.every(({ domain, bundle }) => {
      const known = this.#bundles.get(domain);
      return known !== undefined && isSameBundle(known, domain, bundle);
    });
  }

  /** The bundle that judges a peer: that of the domain its leaf names, `own` for whoever else. */
  judgeOf(chainDer: readonly Uint8Array[], own: TrustBundle): TrustBundle {
    const leaf = chainDer[0];
    if (this.#bundles.size === 0 || leaf === undefined) return own;
    const certificate = parseCertificate(leaf);
    if (typeof certificate === "string" || certificate.uris.length !== 1) return own;
    const domain = parseSpiffeId(certificate.uris[0]!)?.trustDomain;
    return domain === undefined ? own : this.#bundles.get(domain) ?? own;
  }
}
