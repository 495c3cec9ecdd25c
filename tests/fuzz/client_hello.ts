/** Throws damaged TLS hellos at the reader of server names: any split gives the same name, or the same fault. */
import { ClientHelloReader, DONE, HELLO_LIMITS } from "../../proxy/l4/client_hello.ts";
import { pick, type Random, same, split, type Target } from "./target.ts";

let named = 0;

function read(input: readonly Uint8Array[]): string[] {
  const reader = new ClientHelloReader();
  for (const bytes of input) reader.feed(bytes);
  const { state, name, fault } = reader;
  return [`${state} ${name} ${state === DONE ? "" : fault.code}`];
}

const vector = (size: number, bytes: readonly number[]): number[] => [
  ...[16, 8, 0].slice(3 - size).map((shift) => (bytes.length >> shift) & 255),
  ...bytes,
];
const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));

function hello(random: Random): number[] {
  const host = pick(["a.test", "a", "A.b-c.test", "", ".", "a..b", "x".repeat(250)], random);
  const names = vector(2, [pick([0, 0, 0, 1], random), ...vector(2, ascii(host))]);
  const extensions: number[] = [];
  for (let n = random(4); n > 0; n--) {
    const filler = new Array<number>(random(40)).fill(random(256));
    extensions.push(...vector(2, []).fill(random(256)), ...vector(2, filler));
  }
  if (random(6) > 0) extensions.push(0, 0, ...vector(2, names));
  const body = [
    ...[3, 3, ...new Array<number>(32).fill(7)],
    ...vector(1, new Array<number>(random(33)).fill(1)),
    ...vector(2, [0x13, 1, 0x13, 2]),
    ...vector(1, [0]),
    ...(random(20) === 0 ? [] : vector(2, extensions)),
  ];
  return [1, ...vector(3, body)];
}

/** The message in records of any length. */
function records(message: readonly number[], random: Random): number[] {
  const out: number[] = [];
  const most = pick([1 + random(20), 1 + random(200), 16_384], random);
  for (let at = 0; at < message.length;) {
    const size = 1 + random(most);
    out.push(22, 3, random(4), ...vector(2, message.slice(at, at + size)));
    at += size;
  }
  return out;
}

export const target: Target = {
  generate(random) {
    const bytes = records(hello(random), random);
    for (let n = random(4) === 0 ? 1 + random(4) : 0; n > 0; n--) {
      bytes.splice(random(bytes.length), random(3), ...[random(256)].slice(random(2)));
    }
    return Uint8Array.from(bytes);
  },
  attempt(input, random) {
    const whole = read([input]);
    if (whole[0]!.startsWith(`${DONE} `) && whole[0]!.length > 3) named++;
    same("a split changes what is read", read(split(input, random)), whole);
    if (whole[0]!.length > HELLO_LIMITS.bytes) throw new Error("a name without end");
  },
  shallow: (runs) => named * 10 < runs ? `a name came out of ${named} inputs of ${runs}` : null,
};
