/** `deno task bench NAME`: one measurement, printed as JSON and kept in bench/history. */
import { parseArgs } from "node:util";
import { record } from "./history.ts";
import { hop } from "./hop.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { mtlsPair } from "./mtls_pair.ts";
import { profile } from "./profile/profile.ts";
import { isProfile, profileTable } from "./profile/table.ts";
import { start } from "./start.ts";
import { stream } from "./stream.ts";

const USAGE = `deno task bench hop    [--rounds 5] [--seconds 4]   one HTTP hop beside haproxy
deno task bench mtls-pair [--rounds 5] [--seconds 4] two sidecars and mTLS beside haproxy's pair
deno task bench memory [--requests 200000]          resident memory after that many requests
deno task bench start  [--starts 10]                process start to ready line
deno task bench profile [--seconds 4]               where the time goes on two sidecars (needs perf)
Options: --no-record leaves bench/history alone`;

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    requests: { type: "string", default: "1000000" },
    connections: { type: "string", default: "100000" },
    bytes: { type: "string", default: "1000000000" },
    starts: { type: "string", default: "10" },
    "no-record": { type: "boolean", default: false },
  },
});

async function measure(name: string): Promise<object | null> {
  const options = { rounds: Number(values.rounds), seconds: Number(values.seconds) };
  if (name === "hop") return await hop(options);
  if (name === "mtls-pair") return await mtlsPair(options);
  if (name === "latency") return await latency(options);
  if (name === "profile") return await profile(options.seconds);
  if (name === "memory") {
    return await memory({
      requests: Number(values.requests),
      connections: Number(values.connections),
    });
  }
  if (name === "stream") {
    return await stream({ rounds: options.rounds, bytes: Number(values.bytes) });
  }
  if (name === "start") return await start(Number(values.starts));
  return null;
}

const name = positionals[0] ?? "";
const result = await measure(name);
if (result === null) {
  console.error(USAGE);
  Deno.exit(2);
}
const line = values["no-record"] ? result : await record(name, result);
console.log(isProfile(result) ? profileTable(result) : JSON.stringify(line, null, 2));
if ("withinLimit" in result && result.withinLimit === false) Deno.exit(1);
