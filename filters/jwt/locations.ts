/** Where a request carries tokens: found, and taken away, exactly where the application would look. */
import type { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";

/** One place. `find` gives every token there; more than one is never right. */
export interface Location {
  /** Equal for equal places. */
  readonly id: string;
  find(head: RequestHead): readonly string[];
  remove(head: RequestHead): void;
}

const NONE: readonly string[] = [];

/** The value of a field after `prefix`, whose case does not matter (RFC 9110 11.1). */
export class HeaderLocation implements Location {
  readonly id: string;
  readonly #name: string;
  readonly #prefix: string;

  constructor(name: string, prefix: string) {
    this.#name = name;
    this.#prefix = prefix.toLowerCase();
    this.id = `header ${name} ${this.#prefix}`;
  }

  find({ fields }: RequestHead): readonly string[] {
    const { lines } = fields;
    let first: string | null = null;
    let others = 0;
    for (let i = 0; i < lines.length; i += 2) {
      if (lines[i] !== this.#name) continue;
      const token = this.#tokenOf(lines[i + 1]!);
      if (token !== null) first ??= token;
      others++;
    }
    if (first === null) return NONE;
    // A second line, whatever is on it: nobody knows which of them the application reads.
    return others === 1 ? [first] : [first, ""];
  }

  remove({ fields }: RequestHead): void {
    fields.remove(this.#name);
  }

  #tokenOf(value: string): string | null {
    const prefix = this.#prefix;
    if (value.length <= prefix.length) return null;
    if (prefix === "") return value;
    if (value.slice(0, prefix.length).toLowerCase() !== prefix) return null;
    return value.slice(prefix.length).trim();
  }
}

/** A parameter of the query. */
export class ParamLocation implements Location {
  readonly id: string;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    this.id = `param ${name}`;
  }

  find({ path }: RequestHead): readonly string[] {
    const mark = path.indexOf("?");
    if (mark < 0) return NONE;
    const found: string[] = [];
    for (const pair of path.slice(mark + 1).split("&")) {
      const [name, value] = this.#split(pair);
      if (name === this.#name && value !== "") found.push(value);
    }
    return found;
  }

  remove(head: RequestHead): void {
    const { path } = head;
    const mark = path.indexOf("?");
    if (mark < 0) return;
    const rest = path.slice(mark + 1).split("&").filter((pair) =>
      this.#split(pair)[0] !== this.#name
    );
    head.path = path.slice(0, mark) + (rest.length === 0 ? "" : `?${rest.join("&")}`);
  }

  #split(pair: string): [name: string, value: string] {
    const at = pair.indexOf("=");
    if (at < 0) return [decoded(pair), ""];
    return [decoded(pair.slice(0, at)), decoded(pair.slice(at + 1))];
  }
}

/** A cookie (RFC 6265 4.2); HTTP/2 may spread them over several fields. */
export class CookieLocation implements Location {
  readonly id: string;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    this.id = `cookie ${name}`;
  }

  find({ fields }: RequestHead): readonly string[] {
    const { lines } = fields;
    let found: string[] | null = null;
    for (let i = 0; i < lines.length; i += 2) {
      if (lines[i] !== "cookie") continue;
      for (const pair of lines[i + 1]!.split(";")) {
        const value = this.#valueOf(pair);
        if (value !== null && value !== "") (found ??= []).push(value);
      }
    }
    return found ?? NONE;
  }

  remove({ fields }: RequestHead): void {
    const kept = fields.all("cookie").map((line) =>
      line.split(";").filter((pair) => this.#valueOf(pair) === null).join(";").trim()
    ).filter((line) => line !== "");
    fields.remove("cookie");
    for (const line of kept) fields.append("cookie", line);
  }

  #valueOf(pair: string): string | null {
    const at = pair.indexOf("=");
    if (at < 0 || pair.slice(0, at).trim() !== this.#name) return null;
    const value = pair.slice(at + 1).trim();
    return /^".*"$/.test(value) ? value.slice(1, -1) : value;
  }
}

/** Percent escapes as applications read them; what cannot be read is nobody's token. */
function decoded(text: string): string {
  if (!text.includes("%") && !text.includes("+")) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return "";
  }
}

/**
 * Removes every field of these names, also written with underscores: many a server takes `x_user` for
 * `x-user`, and a client must not be able to say what only a verified token may.
 */
export function removeFields(fields: Fields, names: ReadonlySet<string>): void {
  const { lines } = fields;
  let to = 0;
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!;
    if (names.has(name) || (name.includes("_") && names.has(name.replaceAll("_", "-")))) continue;
    lines[to] = name;
    lines[to + 1] = lines[i + 1]!;
    to += 2;
  }
  lines.length = to;
}
