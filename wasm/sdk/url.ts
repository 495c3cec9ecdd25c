/** `URL` and `URLSearchParams` for filters: absolute http and https URLs, and references to them. */

/** An ordered list of query parameters. */
export class FilterUrlSearchParams {
  #pairs: [string, string][] = [];
  #changed: () => void;

  constructor(
    init: string | Iterable<readonly [string, string]> | Record<string, string> = "",
    changed = (): void => {},
  ) {
    this.#changed = changed;
    if (typeof init === "string") {
      for (const part of init.replace(/^\?/, "").split("&")) {
        if (part === "") continue;
        const at = part.indexOf("=");
        this.#pairs.push(
          at < 0
            ? [unescape(part), ""]
            : [unescape(part.slice(0, at)), unescape(part.slice(at + 1))],
        );
      }
    } else {
      const pairs = Symbol.iterator in init
        ? init as Iterable<readonly [string, string]>
        : Object.entries(init as Record<string, string>);
      for (const [name, value] of pairs) this.#pairs.push([name, String(value)]);
    }
  }

  get(name: string): string | null {
    return this.#pairs.find((pair) => pair[0] === name)?.[1] ?? null;
  }

  getAll(name: string): string[] {
    return this.#pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]);
  }

  has(name: string): boolean {
    return this.#pairs.some((pair) => pair[0] === name);
  }

  set(name: string, value: string): void {
    const at = this.#pairs.findIndex((pair) => pair[0] === name);
    if (at < 0) this.#pairs.push([name, value]);
    else {
      this.#pairs = this.#pairs.filter((pair, i) => i <= at || pair[0] !== name);
      this.#pairs[at] = [name, value];
    }
    this.#changed();
  }

  append(name: string, value: string): void {
    this.#pairs.push([name, value]);
    this.#changed();
  }

  delete(name: string): void {
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== name);
    this.#changed();
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.#pairs.map((pair): [string, string] => [...pair])[Symbol.iterator]();
  }

  toString(): string {
    return this.#pairs.map(([name, value]) => `${escape(name)}=${escape(value)}`).join("&");
  }
}

const ABSOLUTE =
  /^(https?):\/\/(?:([^/?#@]*)@)?(\[[0-9a-f:.]+\]|[^/?#:@[\]\s]+)(?::(\d*))?((?:\/[^?#]*)?)(\?[^#]*)?(#.*)?$/i;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/** The parts of a URL, readable and writable. Throws a TypeError on what it cannot read. */
export class FilterUrl {
  protocol: string;
  hostname: string;
  port: string;
  hash: string;
  #pathname: string;
  #search: string;
  #params: FilterUrlSearchParams | null = null;

  constructor(text: string, base?: string | FilterUrl) {
    const match = ABSOLUTE.exec(resolve(String(text), base));
    if (match === null) throw new TypeError(`Invalid URL: "${text}"`);
    this.protocol = `${match[1]!.toLowerCase()}:`;
    this.hostname = match[3]!.toLowerCase();
    const port = match[4] ?? "";
    this.port = port === DEFAULT_PORTS[this.protocol] ? "" : port;
    this.#pathname = withoutDots(match[5] === "" ? "/" : match[5]!);
    this.#search = match[6] === "?" ? "" : match[6] ?? "";
    this.hash = match[7] === "#" ? "" : match[7] ?? "";
  }

  get host(): string {
    return this.port === "" ? this.hostname : `${this.hostname}:${this.port}`;
  }

  get origin(): string {
    return `${this.protocol}//${this.host}`;
  }

  get pathname(): string {
    return this.#pathname;
  }
  set pathname(value: string) {
    this.#pathname = withoutDots(value.startsWith("/") ? value : `/${value}`);
  }

  get search(): string {
    return this.#search;
  }
  set search(value: string) {
    this.#search = value === "" || value === "?" ? "" : value.startsWith("?") ? value : `?${value}`;
    this.#params = null;
  }

  get searchParams(): FilterUrlSearchParams {
    this.#params ??= new FilterUrlSearchParams(this.#search, () => {
      const text = this.#params!.toString();
      this.#search = text === "" ? "" : `?${text}`;
    });
    return this.#params;
  }

  get href(): string {
    return `${this.origin}${this.#pathname}${this.#search}${this.hash}`;
  }

  toString(): string {
    return this.href;
  }

  toJSON(): string {
    return this.href;
  }

  static canParse(text: string, base?: string): boolean {
    try {
      return new FilterUrl(text, base) !== null;
    } catch {
      return false;
    }
  }
}

function resolve(text: string, base: string | FilterUrl | undefined): string {
  if (base === undefined || /^[a-z][a-z0-9+.-]*:/i.test(text)) return text;
  const from = typeof base === "string" ? new FilterUrl(base) : base;
  if (text.startsWith("//")) return `${from.protocol}${text}`;
  if (text.startsWith("/")) return `${from.origin}${text}`;
  if (text.startsWith("?")) return `${from.origin}${from.pathname}${text}`;
  if (text.startsWith("#")) return `${from.origin}${from.pathname}${from.search}${text}`;
  if (text === "") return `${from.origin}${from.pathname}${from.search}`;
  return `${from.origin}${from.pathname.replace(/[^/]*$/, "")}${text}`;
}

/** RFC 3986 5.2.4: takes `.` and `..` out of a path. */
function withoutDots(path: string): string {
  const kept: string[] = [];
  const parts = path.split("/");
  parts.forEach((part, i) => {
    const dots = part.replaceAll(/%2e/gi, ".");
    if (dots === "..") {
      if (kept.length > 1) kept.pop();
    } else if (dots !== ".") kept.push(part);
    if ((dots === "." || dots === "..") && i === parts.length - 1) kept.push("");
  });
  return kept.join("/") || "/";
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

function escape(text: string): string {
  return encodeURIComponent(text).replace(/%20/g, "+");
}
