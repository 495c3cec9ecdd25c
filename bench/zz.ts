import { originConfig, startHaproxy } from "./peers/haproxy.ts";
import { untilListening } from "./process.ts";
import { watchOthers } from "./others.ts";
await using o = await startHaproxy(1, originConfig(18081, 1024));
await untilListening(18081);
for (const pre of [[], ["chrt", "-f", "10"]]) {
  for (const r of [1000, 5000]) {
    const others = watchOthers();
    const w = await new Deno.Command("taskset", {
      args: [
        "-c",
        "1",
        ...pre,
        Deno.execPath(),
        "run",
        "-A",
        "--no-check",
        ...(Deno.args),
        "bench/load_client/open_loop.ts",
        JSON.stringify({
          port: 18081,
          perSecond: r,
          seconds: 5,
          warmUpSeconds: 1,
          connections: 64,
          host: "origin",
        }),
      ],
      stderr: "inherit",
    }).output();
    console.log(pre, r, new TextDecoder().decode(w.stdout).trim(), others());
  }
}
