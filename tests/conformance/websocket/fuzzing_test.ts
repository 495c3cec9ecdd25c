/**
 * Autobahn's cases, driven by a fuzzing client against an echo server, neither of which is ours: once
 * directly and once through two sidecars with mTLS. A proxy that is not seen changes no verdict.
 *
 * The default leaves out most of the compression cases, which send a thousand messages each;
 * `WEBSOCKET=all deno task conformance websocket` runs all of them (about ten minutes).
 */
import assert from "node:assert/strict";
import { meshService, startMesh } from "../../support/mesh.ts";
import { hasKosoku, judge, type Selection, type Verdict } from "./kosoku.ts";

const ECHO = new URL("./echo.mjs", import.meta.url).pathname;
const PLAIN = [
  "1.*",
  "2.*",
  "3.*",
  "4.*",
  "5.*",
  "6.*",
  "7.*",
  "9.1.*",
  "9.2.*",
  "9.3.1",
  "9.3.5",
  "9.4.1",
  "9.4.5",
  "9.5.1",
  "9.7.1",
  "10.*",
];
const COMPRESSED = ["12.1.1", "12.1.5", "12.2.1", "12.5.1", "13.1.1", "13.3.1", "13.7.1"];
const SELECTED: Selection = Deno.env.get("WEBSOCKET") === "all"
  ? {}
  : { include: [...PLAIN, ...COMPRESSED] };

/** `ws` on Node, in a process of its own. */
async function startEcho() {
  const child = new Deno.Command("node", { args: [ECHO], stdout: "piped" }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await lines.read();
  return {
    address: `127.0.0.1:${Number(value)}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await lines.cancel();
      await child.status;
    },
  };
}

function differing(one: Map<string, Verdict>, other: Map<string, Verdict>): string[] {
  return [...one].flatMap(([id, verdict]) =>
    JSON.stringify(other.get(id)) === JSON.stringify(verdict) ? [] : [id]
  );
}

const there = await hasKosoku();
if (!there) {
  console.log(
    'skipped: no "kosoku" on the PATH (tests/conformance/websocket/fuzzing_test.ts); pip install kosoku',
  );
}

Deno.test({
  name: "A fuzzing client passes the same verdicts through two sidecars as directly",
  ignore: !there,
  async fn() {
    await using echo = await startEcho();
    await using mesh = await startMesh({
      services: [{ name: "web" }, { name: "chat", address: echo.address }],
      gateway: false,
    });
    // The client names in Host what it dials, so the mesh has to know the service by that name too.
    const port = Number(new URL(mesh.outbound("web")).port);
    await mesh.apply([meshService("localhost", { from: "chat", ports: [{ port }] })]);
    const way = `localhost:${port}`;

    const direct = await judge(echo.address, SELECTED);
    const through = await judge(way, SELECTED);

    assert.deepEqual([...through.keys()].sort(), [...direct.keys()].sort());
    // Some verdicts depend on who is quicker; on a busy machine these are asked for again, one by one.
    for (const id of differing(direct, through)) {
      const again = { include: [id] };
      const [was, is] = [await judge(echo.address, again), await judge(way, again)];
      assert.deepEqual(is, was, `case ${id}, at first ${JSON.stringify(through.get(id))}`);
    }
    const strict = [...through.values()].filter(({ behavior }) => behavior === "OK").length;
    console.log(`compared ${through.size} cases, ${strict} of them strictly passed`);
    assert.ok(through.size > 270 && strict > 260, `${strict} of ${through.size}`);
  },
});
