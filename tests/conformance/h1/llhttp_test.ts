/** Runs the strict llhttp fixtures, when they are there, and says what passes and what differs on purpose. */
import assert from "node:assert/strict";
import { Fields } from "../../../core/fields.ts";
import { HEAD } from "../../../core/stream.ts";
import { bytesOf, clientRig, serverRig, whenWhole } from "../../../proxy/h1/rig.ts";
import { expected, type Fixture, parseFixtures, withHost } from "./llhttp.ts";
import { DEVIATIONS } from "./llhttp_deviations.ts";

const CORPUS = new URL("../../../../shared/corpora/llhttp/test/", import.meta.url);

interface Seen {
  readonly messages: { what: string; body: string; complete: boolean }[];
  readonly fault: string | null;
}

/** Ends a head that the fixture breaks off, so that its lines are judged. */
const REST = "\r\n\r\n";

function runRequest(input: string, rest: string): Seen {
  const rig = serverRig(({ stream, sink }, _head, end) => {
    const answer = (): void => stream.head({ status: 204, fields: new Fields() }, true);
    if (end) return answer();
    whenWhole(sink, answer);
  });
  rig.send(input);
  if (!rig.wire.ended && rig.server.phase === HEAD) rig.send(rest);
  const fault = /\r\ndenim-fault: (.*)\r\n/.exec(rig.wire.written)?.[1] ?? null;
  const messages = rig.exchanges.map(({ sink }) => {
    const head = sink.heads[0]!;
    const events = sink.events();
    return {
      what: `${head.method} ${head.path}`,
      body: events.filter((e) => e.startsWith("data ")).map((e) => e.slice(5)).join(""),
      complete: events.includes("end"),
    };
  });
  return { messages, fault };
}

function runResponse(input: string, rest: string, method: string, eof: boolean): Seen {
  const { client, open } = clientRig();
  const { stream, sink } = open();
  stream.head({ method, scheme: "http", authority: "a", path: "/", fields: new Fields() }, true);
  client.receive(bytesOf(input));
  if (sink.heads.length === 0) client.receive(bytesOf(rest));
  if (eof) client.eof();
  const events = sink.events();
  const messages = events.filter((e) => e.startsWith("info ")).map((e) => ({
    what: e.slice(5, 8),
    body: "",
    complete: true,
  }));
  if (sink.heads.length > 0) {
    messages.push({
      what: String(sink.heads[0]!.status),
      body: events.filter((e) => e.startsWith("data ")).map((e) => e.slice(5)).join(""),
      complete: events.includes("end"),
    });
  }
  return { messages, fault: sink.fault?.code ?? client.fault?.code ?? null };
}

/** Null when the codec does what the fixture says; else how it differs. */
function difference(fixture: Fixture): string | null {
  const want = expected(fixture.log);
  const rest = want.error === null ? "" : REST;
  const seen = fixture.role === "request"
    ? runRequest(withHost(fixture.input), rest)
    : runResponse(fixture.input, rest, fixture.skipBody ? "HEAD" : "GET", fixture.finish);
  // Bytes after the last message of a connection are not read at all: nothing more can come of them.
  const silent = seen.fault === null && seen.messages.length < want.messages.length;
  const pause = want.error !== null && /^(21|22|23|31) /.test(want.error);
  if (want.error !== null && !pause) {
    return seen.fault === null && !(silent || want.error.startsWith("5 "))
      ? `accepted; llhttp: ${want.error}`
      : null;
  }
  if (fixture.lenient) {
    return seen.fault === null && !silent
      ? "accepted, though it is written for a lenient parser"
      : null;
  }
  if (seen.fault !== null) return `refused: ${seen.fault}`;
  for (const [i, message] of want.messages.entries()) {
    const got = seen.messages[i];
    const what = fixture.role === "request"
      ? `${message.method} ${message.target}`
      : message.status;
    if (message.complete && got?.what !== what) return `read "${got?.what}" for "${what}"`;
    if (message.complete && got?.complete !== true) return `"${what}" did not end`;
    // The log shows bytes outside printable ASCII in other forms, so only plain bodies are compared.
    const plain = /^[ -~]*$/.test(got?.body ?? "");
    if (plain && got !== undefined && got.body !== message.body) return `body "${got.body}"`;
  }
  return null;
}

function load(): Fixture[] | null {
  const fixtures: Fixture[] = [];
  try {
    for (const role of ["request", "response"]) {
      const files = [...Deno.readDirSync(new URL(role, CORPUS))].map((entry) => entry.name).sort();
      for (const file of files) {
        const path = `${role}/${file}`;
        fixtures.push(...parseFixtures(path, Deno.readTextFileSync(new URL(path, CORPUS))));
      }
    }
  } catch (e) {
    if (!(e instanceof Deno.errors.NotFound)) throw e;
    console.log(`llhttp fixtures skipped: no ../shared/corpora/llhttp beside the repository`);
    return null;
  }
  return fixtures;
}

const fixtures = load();

Deno.test({
  name: "llhttp fixtures: the codec agrees, or differs for a written reason",
  ignore: fixtures === null,
  fn() {
    assert.ok(fixtures!.length > 200, `only ${fixtures!.length} fixtures were found`);
    const wrong: string[] = [];
    const used = new Set<string>();
    let passed = 0;
    for (const fixture of fixtures!) {
      const differs = difference(fixture);
      if (differs === null) {
        passed++;
        continue;
      }
      const known = DEVIATIONS.find(([how, names]) =>
        how === differs && names.some((name) => name === fixture.name)
      );
      if (known === undefined) wrong.push(`${fixture.name}: ${differs}`);
      else used.add(`${differs}\0${fixture.name}`);
    }
    const stale = DEVIATIONS.flatMap(([how, names]) =>
      names.filter((name) => !used.has(`${how}\0${name}`)).map((name) => `${name}: ${how}`)
    );
    console.log(
      `llhttp: ${fixtures!.length} fixtures, ${passed} as llhttp says, ` +
        `${used.size} otherwise on purpose, ${wrong.length} wrong`,
    );
    for (const [how, names, reason] of DEVIATIONS) {
      console.log(`  ${String(names.length).padStart(3)} ${how}: ${reason}`);
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual(stale, [], "these deviations are listed but no longer seen");
  },
});
