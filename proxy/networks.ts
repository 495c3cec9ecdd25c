/** A set of IP networks, asked once per connection. */
import { BlockList, isIP, isIPv4 } from "node:net";

const MAPPED = "::ffff:";

export class Networks {
  readonly #list = new BlockList();

  /** `10.0.0.0/8`, `2001:db8::/32` or single addresses; the schema has checked them. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [ip, prefix] = network.split("/");
      const family = isIPv4(ip!) ? "ipv4" : "ipv6";
      if (prefix === undefined) this.#list.addAddress(ip!, family);
      else this.#list.addSubnet(ip!, Number(prefix), family);
    }
  }

  /** An IPv4 client of a socket for both families counts as what it is. */
  has(address: string): boolean {
    const mapped = address.startsWith(MAPPED) && isIPv4(address.slice(MAPPED.length));
    const ip = mapped ? address.slice(MAPPED.length) : address;
    return isIP(ip) !== 0 && this.#list.check(ip, isIPv4(ip) ? "ipv4" : "ipv6");
  }
}
