/** Throws damaged PROXY protocol headers at their reader: any split gives the same client and takes the same bytes. */
import { isIP } from "node:net";
import {
  DONE,
  FAILED,
  PROXY_HEADER_LIMITS,
  ProxyHeaderReader,
} from "../../proxy/l4/proxy_header.ts";
import { pick, type Random, same, split, type Target } from "./target.ts";

let named = 0;

function read(input: readonly Uint8Array[]): { line: string; source: string; taken: number } {
  const reader = new ProxyHeaderReader();
  let taken = 0;
  for (const bytes of input) taken += reader.feed(bytes);
  const { state, source, fault } = reader;
  const what = state === FAILED ? fault.code : `${source} ${taken}`;
  return { line: `${state} ${what}`, source: state === DONE ? source : "", taken };
}

const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0) & 255);
const some = (bytes: number, random: Random): number[] =>
  Array.from({ length: bytes }, () => random(256));

/** Mostly what is right, now and then something else. */
const mostly = <T>(right: T, others: readonly T[], random: Random): T =>
  random(8) > 0 ? right : pick(others, random);

function line(random: Random): number[] {
  const family = pick(["TCP4", "TCP6", "UNKNOWN"], random);
  const right = family === "TCP4"
    ? ["1.2.3.4", "255.255.255.255"]
    : ["::1", "2001:db8::1", "fe80::"];
  const ip = (): string =>
    mostly(pick(right, random), ["::ffff:1.2.3.4", "1.2.3", "", "::g"], random);
  const port = (): string => mostly(String(random(65_536)), ["65536", "01", "", "+1"], random);
  const end = mostly("\r\n", ["\n", "\r", ""], random);
  const word = mostly(family, ["TCP", "", "UDP4"], random);
  return ascii(`PROXY ${word} ${ip()} ${ip()} ${port()} ${port()}${end}`);
}

function binary(random: Random): number[] {
  const tlvs: number[] = [];
  for (let n = random(4); n > 0; n--) {
    const size = random(40);
    tlvs.push(random(256), 0, size, ...some(size, random));
  }
  const kind = pick([0x11, 0x21, 0x31, 0], random);
  const size = kind === 0x11 ? 12 : kind === 0x21 ? 36 : kind === 0x31 ? 216 : random(300);
  const addresses = some(mostly(size, [random(300)], random), random);
  const length = mostly(addresses.length + tlvs.length, [random(65_536)], random);
  return [
    ...ascii("\r\n\r\n\0\r\nQUIT\n"),
    ...[mostly(0x21, [0x20, 0x22, 0x11], random), mostly(kind, [0x12, random(256)], random)],
    ...[length >> 8, length & 255],
    ...addresses,
    ...tlvs,
  ];
}

export const target: Target = {
  generate(random) {
    const bytes = random(2) === 0 ? line(random) : binary(random);
    for (let n = random(4) === 0 ? 1 + random(4) : 0; n > 0; n--) {
      bytes.splice(random(bytes.length), random(3), ...[random(256)].slice(random(2)));
    }
    return Uint8Array.from([...bytes, ...some(random(30), random)]);
  },
  attempt(input, random) {
    const whole = read([input]);
    same("a split changes what is read", [read(split(input, random)).line], [whole.line]);
    if (whole.taken > 16 + PROXY_HEADER_LIMITS.v2Bytes) throw new Error("a header without end");
    if (whole.source === "") return;
    named++;
    const colon = whole.source.lastIndexOf(":");
    const port = Number(whole.source.slice(colon + 1));
    const fits = isIP(whole.source.slice(0, colon)) !== 0 && port >= 0 && port <= 65535;
    if (!fits) throw new Error(`a client that is no address: ${whole.source}`);
  },
  shallow: (runs) => named * 5 < runs ? `a client came out of ${named} inputs of ${runs}` : null,
};
