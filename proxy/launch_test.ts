import assert from "node:assert/strict";
import {
  PROXY_ENV,
  PROXY_HEAP_MIB,
  type ProxyFiles,
  proxyFlags,
  proxyV8Flags,
  supervisorFlags,
  YOUNG_MIB,
} from "./launch.ts";

const MESH: ProxyFiles = { read: ["/state", "/bundle.pem"], write: ["/state"] };
const STANDALONE: ProxyFiles = { read: "all", write: [] };

Deno.test("A proxy of the mesh gets the files it is given, loads no package, and has no other right", () => {
  assert.deepEqual(proxyFlags(MESH), [
    proxyV8Flags(),
    "--no-config",
    "--no-lock",
    "--no-npm",
    "--no-remote",
    "--no-prompt",
    "--allow-net",
    "--deny-net=169.254.169.254",
    "--allow-env=DENIM_DEBUG",
    "--allow-read=/state,/bundle.pem",
    "--allow-write=/state",
  ]);
});

Deno.test("A proxy of a configuration file finds packages but fetches none, and writes nothing", () => {
  const flags = proxyFlags(STANDALONE, 128);
  assert.ok(flags.includes(proxyV8Flags(128)));
  assert.ok(flags.includes("--cached-only"));
  for (const flag of flags) assert.doesNotMatch(flag, /write|run|ffi|sys|-A|no-config|no-npm/);
});

Deno.test("A supervisor has the rights of its proxies, all of the environment, and may start Deno", () => {
  const more = supervisorFlags(MESH).filter((flag) => !proxyFlags(MESH).includes(flag));
  assert.deepEqual(more, ["--allow-env", `--allow-run=${Deno.execPath()}`]);
});

Deno.test("The container's entry point, a shell script, starts proxies in the same way", async () => {
  const script = await Deno.readTextFile(new URL("../deploy/denim", import.meta.url));
  for (const [name, value] of Object.entries(PROXY_ENV)) {
    assert.ok(script.includes(`export ${name}=${value}`), name);
  }
  const paths = /^--allow-(?:read|write)/;
  for (const files of [MESH, STANDALONE]) {
    for (const flag of proxyFlags(files).filter((one) => !paths.test(one))) {
      assert.match(script, new RegExp(`[ ="]${flag.replaceAll(".", "\\.")}[ "\n]`), flag);
    }
  }
  assert.ok(script.includes("--deny-run"));
});

Deno.test("A proxy started by hand, with the task, can scavenge as well", async () => {
  const { tasks } = JSON.parse(
    await Deno.readTextFile(new URL("../deno.json", import.meta.url)),
  );
  assert.match(tasks.denim, /--v8-flags=--expose-gc /);
});

Deno.test("The heap's limit is what was asked for and the young generation, by which overload is reckoned", async () => {
  // Were it more, the proxy would run out of heap before it sheds (vital_signs.ts).
  const script = 'import v8 from "node:v8"; console.log(v8.getHeapStatistics().heap_size_limit)';
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      proxyV8Flags(PROXY_HEAP_MIB),
      `data:application/javascript,${encodeURIComponent(script)}`,
    ],
  }).output();
  const limit = Number(new TextDecoder().decode(stdout)) / 1024 / 1024;
  assert.equal(limit, PROXY_HEAP_MIB + YOUNG_MIB);
});
