/**
 * The fingerprint of RSA keys by a smart card library whose primes can be found again (CVE-2017-15361,
 * "ROCA"): their moduli are a power of 65537 by each of these small primes at once.
 */
const PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/** Of a big-endian modulus. A good one looks weak once in about 2^27. */
export function isRocaWeak(modulus: Uint8Array): boolean {
  return PRIMES.every((prime) => {
    let rest = 0;
    for (const byte of modulus) rest = (rest * 256 + byte) % prime;
    let power = 1;
    do {
      if (power === rest) return true;
      power = power * (65537 % prime) % prime;
    } while (power !== 1);
    return false;
  });
}
