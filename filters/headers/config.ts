/** Configuration of the header modifiers. */
import { ConfigReader, textItem } from "../parse.ts";

/** Names are lower case. Applied in the order set, add, remove. */
export interface HeadersConfig {
  readonly set: readonly HeaderConfig[];
  readonly add: readonly HeaderConfig[];
  readonly remove: readonly string[];
}

export interface HeaderConfig {
  readonly name: string;
  readonly value: string;
}

/** RFC 9110 5.6.2: a token, in lower case as Fields holds names. */
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/;
const NAME_WANTED = "a field name in lower case";
/** RFC 9110 5.5, with latin-1 text; white space at the ends would not survive the wire. */
// deno-lint-ignore no-control-regex
const VALUE = /^(?![ \t])[^\x00-\x08\x0a-\x1f\x7f\u0100-\uffff]{0,4096}(?<![ \t])$/;
const VALUE_WANTED = "a field value without control characters or outer white space";
/** The codec owns these: a filter that set them could make two messages out of one. */
const FRAMING = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Reads the wire form; `kind` names the filter in messages. */
export function parseHeadersConfig(kind: string, config: unknown): HeadersConfig {
  const reader = new ConfigReader(kind, config);
  const parsed: HeadersConfig = {
    set: reader.list("set", readHeader),
    add: reader.list("add", readHeader),
    remove: reader.list(
      "remove",
      (item, path) => freeFieldName(textItem(item, path, NAME, NAME_WANTED), path),
    ),
  };
  reader.end();
  return parsed;
}

function readHeader(item: unknown, path: string): HeaderConfig {
  const reader = new ConfigReader(path, item);
  const name = freeFieldName(reader.text("name", NAME, NAME_WANTED), `${path}.name`);
  const value = reader.text("value", VALUE, VALUE_WANTED);
  reader.end();
  return { name, value };
}

/** `name`, unless it is one of those; throws otherwise. */
export function freeFieldName(name: string, path: string): string {
  if (!FRAMING.has(name)) return name;
  throw new Error(
    `Cannot read ${path}: it is "${name}", want a field that does not frame the message or the connection`,
  );
}
