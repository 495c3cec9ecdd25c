/** What is no longer believed before it expires: identities, single certificates, keys of authorities. */

/** Entries of one list. Every proxy holds it in memory, and every snapshot carries it. */
export const MAX_REVOCATIONS = 4096;

/** Certificates, identities and keys that are no longer to be believed before they expire. */
export interface Revocations {
  /** Upper-case hexadecimal serials. */
  readonly serials: ReadonlySet<string>;
  /** Whole SPIFFE ids. */
  readonly identities: ReadonlySet<string>;
  /** `sha256:<hex>` of public keys: whatever they signed is worth nothing. */
  readonly keys: ReadonlySet<string>;
}

/** The same as it goes over the wire; absent members are empty. */
export interface RevocationLists {
  readonly serials?: readonly string[];
  readonly identities?: readonly string[];
  readonly keys?: readonly string[];
}

export function readRevocations(lists: RevocationLists | undefined): Revocations {
  const { serials = [], identities = [], keys = [] } = lists ?? {};
  const count = serials.length + identities.length + keys.length;
  if (count > MAX_REVOCATIONS) {
    throw new TypeError(
      `Cannot use the list of revocations: it holds ${count}, at most ${MAX_REVOCATIONS} are allowed`,
    );
  }
  return { serials: new Set(serials), identities: new Set(identities), keys: new Set(keys) };
}

export function isSameRevocations(a: Revocations, b: Revocations): boolean {
  return isSameSet(a.serials, b.serials) && isSameSet(a.identities, b.identities) &&
    isSameSet(a.keys, b.keys);
}

function isSameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && a.isSubsetOf(b);
}
