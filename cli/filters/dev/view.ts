/** The live view of `denim filter dev`: one line a callback, what it changed below it. Colours only on a terminal. */
import type { FilterContext } from "../../../core/filter.ts";
import type { Callback } from "../stage/observe.ts";
import { callbackLines } from "../stage/report.ts";
import type { LogLine } from "../stage/stage.ts";
import type { DevView } from "./proxy.ts";

/** Control characters of clients' bytes must not reach the terminal. */
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

export class TerminalView implements DevView {
  readonly #print: (line: string) => void;
  readonly #colours: boolean;

  constructor(print: (line: string) => void, colours: boolean) {
    this.#print = print;
    this.#colours = colours;
  }

  begun(id: number, { request }: FilterContext): void {
    this.#line(`#${id} ${request.method} ${request.path}`, "bold");
  }

  callback(id: number, ctx: FilterContext, callback: Callback, logs: readonly LogLine[]): void {
    if (callback.hook === "end") {
      this.#line(`#${id}   ended with ${ctx.response?.status ?? "no response"}`, "dim");
    }
    if (callback.hook === "end" && callback.diff.length === 0 && logs.length === 0) return;
    const [head, ...more] = callbackLines(callback, logs);
    this.#line(`#${id}   ${head}`);
    for (const line of more) {
      const colour = line.startsWith("  +") ? "green" : line.startsWith("  -") ? "red" : "dim";
      this.#line(`#${id}     ${line}`, colour);
    }
  }

  logs(lines: readonly LogLine[]): void {
    for (const { level, text } of lines) this.#line(`   ${level}: ${text}`, "dim");
  }

  trap(report: string): void {
    this.#line("TRAP: the instance is lost, the next request gets a new one", "red");
    for (const line of report.split("\n")) this.#line(`  ${line}`, "red");
  }

  /** What the command itself has to say. */
  say(text: string, kind: "good" | "bad" | "" = ""): void {
    for (const line of text.split("\n")) {
      this.#line(line, kind === "good" ? "green" : kind === "bad" ? "red" : undefined);
    }
  }

  #line(text: string, colour?: keyof typeof COLOURS): void {
    const plain = text.replace(CONTROL, "�");
    this.#print(
      colour === undefined || !this.#colours ? plain : `\x1b[${COLOURS[colour]}m${plain}\x1b[0m`,
    );
  }
}

const COLOURS = { bold: 1, dim: 2, red: 31, green: 32 } as const;
