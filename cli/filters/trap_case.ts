/** A trap as a case for `denim filter test`: the exchange that triggered it, and that it must not trap again. */
import { stringify } from "yaml";
import type { TrapBody, TrapInput, TrapReport } from "../../wasm/trap_report.ts";

/** YAML of a file of cases. Values that were taken out stay so, and whoever knows them puts others in. */
export function trapCase(trap: TrapReport, config: string): string {
  const { input } = trap;
  const one: Record<string, unknown> = {
    name: `${trap.kind} in ${trap.entry} (${trap.id})`,
    ...(config === "" ? {} : { config: configOf(config) }),
    clock: new Date(trap.atMs).toISOString(),
    ...(input === null ? {} : exchangeOf(input)),
    expect: { trap: firstWords(trap.text) },
  };
  const head = [
    `${trap.filter}, ${trap.digest}`,
    trap.text,
    ...trap.hostCalls.slice(-8).map((call) => `  ${call}`),
    "Take `expect.trap` out once it is mended: a case without it fails when the filter traps.",
  ];
  const comment = head.map((line) => `# ${line.replaceAll(/[\r\n]/g, " ")}\n`).join("");
  return comment + stringify({ cases: [one] });
}

function exchangeOf(input: TrapInput): Record<string, unknown> {
  const { method, scheme, authority, path, headers, peer, body, response } = input;
  return {
    request: {
      method,
      scheme,
      authority,
      path,
      ...(peer === "" ? {} : { peer }),
      headers: headersOf(headers),
      ...bodyOf(body),
    },
    ...(response === undefined ? {} : {
      response: {
        status: response.status,
        headers: headersOf(response.headers),
        ...bodyOf(response.body),
      },
    }),
  };
}

function headersOf(lines: readonly string[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!, value = lines[i + 1]!, old = headers[name];
    headers[name] = old === undefined ? value : [...[old].flat(), value];
  }
  return headers;
}

function bodyOf(body: TrapBody | undefined): { body?: unknown } {
  if (body === undefined) return {};
  return { body: body.text ?? { base64: body.base64 ?? "" } };
}

/** The kind of trap without numbers, which change with the module. */
function firstWords(text: string): string {
  return text.split(/ after |: | at | \(| in /)[0]!;
}

function configOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
