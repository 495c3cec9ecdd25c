/** Reads the llhttp fixtures: Markdown with raw messages and the events a lenient or strict parser makes of them. */

export interface Fixture {
  /** `file › heading › heading`. */
  readonly name: string;
  readonly role: "request" | "response";
  /** Written for a parser with a leniency flag set: strict ones must not read it so. */
  readonly lenient: boolean;
  readonly finish: boolean;
  readonly skipBody: boolean;
  readonly input: string;
  readonly log: string;
}

/** What a fixture's log says, as far as it can be seen from outside a codec. */
export interface Expected {
  readonly error: string | null;
  readonly messages: readonly Message[];
}

export interface Message {
  method: string;
  target: string;
  status: string;
  body: string;
  complete: boolean;
}

export function parseFixtures(file: string, markdown: string): Fixture[] {
  const found: Fixture[] = [];
  const headings: string[] = [];
  let meta: Record<string, unknown> | null = null;
  let input: string | null = null;
  const lines = markdown.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const heading = /^(#{2,4}) (.*)/.exec(line);
    if (heading !== null) {
      headings.length = heading[1]!.length - 2;
      headings.push(heading[2]!);
    }
    const given = /^<!-- meta=(.*) -->$/.exec(line);
    if (given !== null) meta = JSON.parse(given[1]!);
    const fence = /^```(http|log)$/.exec(line);
    if (fence === null) continue;
    const from = i + 1;
    i = lines.indexOf("```", from);
    const text = lines.slice(from, i).join("\n");
    if (fence[1] === "http") input = unescape(text);
    else if (meta !== null && input !== null) {
      const type = String(meta.type);
      found.push({
        name: [file, ...headings.filter(Boolean)].join(" › "),
        role: type.startsWith("request") ? "request" : "response",
        lenient: type.includes("lenient"),
        finish: type.endsWith("finish"),
        skipBody: meta.skipBody === true,
        input,
        log: text,
      });
      input = null;
    }
  }
  return found;
}

/** The fixtures' notation: line ends mean CR LF, a backslash at a line's end joins it to the next. */
function unescape(text: string): string {
  return text
    .replace(/\\\n/g, "")
    .replace(/\n/g, "\r\n")
    .replace(/\\r/g, "\r")
    .replace(/\\n/g, "\n")
    .replace(/\\t/g, "\t")
    .replace(/\\f/g, "\f")
    .replace(/\\x([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

export function expected(log: string): Expected {
  const messages: Message[] = [];
  let error: string | null = null;
  for (const line of log.split("\n")) {
    const current = messages.at(-1);
    const span = /span\[(\w+)\]="(.*)"$/.exec(line);
    const code = /error code=(\d+ reason=".*")/.exec(line);
    if (line.endsWith(" message begin")) {
      messages.push({ method: "", target: "", status: "", body: "", complete: false });
    } else if (line.endsWith(" message complete")) current!.complete = true;
    else if (code !== null) error = code[1]!;
    else if (span !== null && current !== undefined) {
      const [, name, value] = span;
      if (name === "method") current.method += value;
      else if (name === "url") current.target += value;
      else if (name === "body") current.body += value;
    }
    const status = / headers complete status=(\d+)/.exec(line);
    if (status !== null && current !== undefined) current.status = status[1]!;
  }
  return { error, messages };
}

/** llhttp leaves Host to its user and most fixtures have none; ours wants one, so each request gets a fitting one. */
export function withHost(input: string): string {
  return input.replace(
    /( (?:https?:\/\/([^/?\s@]+)\S*|\S+) HTTP\/1\.1\r\n)(?!(?:[^\r\n]+\r\n)*host:)/gi,
    (_, line, authority) => `${line}Host: ${authority ?? "a"}\r\n`,
  );
}
