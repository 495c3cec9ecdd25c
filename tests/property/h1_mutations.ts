/** Streams of HTTP/1.1 made from the rows of the strictness table: joined, then damaged. */
import fc from "fast-check";

/** What is put into a stream at random places: the bytes and lines that parsers disagree about. */
const SPICE = [
  ...'\r\n \t:;,0159\0\xff"\\#?/',
  "\r\n",
  "\r\n\r\n",
  "chunked",
  "Content-Length: 1\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Connection: x\r\n",
  "Connection: close\r\n",
  "Expect: 100-continue\r\n",
  "Upgrade: h2c\r\n",
  "TE: trailers\r\n",
  "X:\r\n",
];

export interface Row {
  readonly raw: string;
  /** It is accepted as it is. */
  readonly passes: boolean;
}

/** Rows joined and then damaged; those that pass come more often, since a stream ends at its first refusal. */
export function damaged(rows: readonly Row[], most: number): fc.Arbitrary<string> {
  const small = rows.filter((row) => row.raw.length < 2000);
  const passing = fc.constantFrom(...small.filter((row) => row.passes).map((row) => row.raw));
  const any = fc.constantFrom(...small.map((row) => row.raw));
  return fc.tuple(
    fc.array(fc.oneof({ weight: 4, arbitrary: passing }, any), { minLength: 1, maxLength: most }),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(...SPICE), fc.nat(2)), { maxLength: 3 }),
  ).map(([parts, changes]) => {
    let text = parts.join("");
    for (const [at, put, drop] of changes) {
      const from = at % (text.length + 1);
      text = text.slice(0, from) + put + text.slice(from + drop);
    }
    return text;
  });
}
