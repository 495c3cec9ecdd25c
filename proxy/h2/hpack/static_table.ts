/** The static table of HPACK (RFC 7541 appendix A), and the way back from a field to its index. */

/** `[name, value]` at index − 1. */
export const STATIC_TABLE: readonly (readonly [string, string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

/** Index of the first entry of a name. */
export const STATIC_NAME: ReadonlyMap<string, number> = new Map(
  STATIC_TABLE.map(([name], i): [string, number] => [name, i + 1]).reverse(),
);

/** Index of a name and value, by name. */
export const STATIC_FIELD: ReadonlyMap<string, ReadonlyMap<string, number>> = byNameAndValue();

function byNameAndValue(): Map<string, Map<string, number>> {
  const fields = new Map<string, Map<string, number>>();
  STATIC_TABLE.forEach(([name, value], i) => {
    const values = fields.get(name) ?? new Map<string, number>();
    values.set(value, i + 1);
    fields.set(name, values);
  });
  return fields;
}
