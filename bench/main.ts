/** `deno task bench NAME`: one measurement, or all, printed and kept in bench/history. */
import { parseArgs } from "node:util";
import { authz } from "./authz.ts";
import { ca } from "./ca.ts";
import { fairness } from "./fairness.ts";
import { grpc } from "./grpc.ts";
import { handshake } from "./handshake.ts";
import { kept, record } from "./history.ts";
import { hop } from "./hop.ts";
import { idle } from "./idle.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { mtlsPair } from "./mtls_pair.ts";
import { profile } from "./profile/profile.ts";
import { profileTable } from "./profile/table.ts";
import { revoke } from "./revoke.ts";
import { start } from "./start.ts";
import { stream } from "./stream.ts";
import { BENCHES, type Result, table } from "./table.ts";
import { wasm } from "./wasm.ts";

const USAGE = `deno task bench NAME [options]
  hop        [--rounds 5] [--seconds 4]      one HTTP/1.1 hop beside haproxy, nginx, Envoy
  mtls-pair  [--rounds 5] [--seconds 4]      two sidecars and mTLS beside pairs of haproxy and Envoy
  handshake  [--rounds 5] [--seconds 4]      full mTLS handshakes at a sidecar beside haproxy
  latency    [--rounds 5] [--seconds 4]      what the pair adds at 1,000 and 5,000 requests/s, open loop
  grpc       [--rounds 5] [--calls 50000]    unary gRPC through the pair
  stream     [--rounds 5] [--bytes 1e9]      one long body through the pair, down and up
  fairness   [--rounds 5] [--seconds 4]      500 small requests/s beside a download of 1 GB, open loop
  idle       [--idle 10000] [--seconds 4]    memory and CPU of idle connections
  memory     [--requests 1e6] [--connections 1e5]  memory after that many
  revoke     [--sidecars 10] [--connections 20] [--rounds 5]
                                             from the command to the last open connection closed, and
                                             the first new one refused everywhere
  start      [--starts 10]                   process start to ready line
  ca         [--rounds 5] [--seconds 4]      identities the authority issues
  authz      [--rounds 5] [--seconds 4]      what 1,000 authorization policies cost a request
  wasm       [--rounds 5] [--seconds 4]      what Wasm filters cost a request, beside Envoy; admission, memory
  all        all of the above, then one table
  table      the table of what was kept last
  profile    [--seconds 4] [--load requests] where the time goes on two sidecars (needs perf);
                                             under requests or stream
Options: --no-record leaves bench/history alone`;

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    calls: { type: "string", default: "50000" },
    bytes: { type: "string", default: "1e9" },
    idle: { type: "string", default: "10000" },
    requests: { type: "string", default: "1e6" },
    connections: { type: "string", default: "1e5" },
    starts: { type: "string", default: "10" },
    sidecars: { type: "string", default: "10" },
    load: { type: "string", default: "requests" },
    "no-record": { type: "boolean", default: false },
  },
});

type Option = Exclude<keyof typeof values, "no-record" | "load">;

/** The value of an option. Ends the program when it is no number above 0. */
function number(name: Option): number {
  const value = Number(values[name]);
  if (value > 0) return value;
  console.error(`--${name} is "${values[name]}" and must be a number above 0`);
  Deno.exit(2);
}

const RUN: Readonly<Record<Result["bench"], () => Promise<Result>>> = {
  hop: () => hop({ rounds: number("rounds"), seconds: number("seconds") }),
  "mtls-pair": () => mtlsPair({ rounds: number("rounds"), seconds: number("seconds") }),
  handshake: () => handshake({ rounds: number("rounds"), seconds: number("seconds") }),
  latency: () => latency({ rounds: number("rounds"), seconds: number("seconds") }),
  grpc: () => grpc({ rounds: number("rounds"), calls: number("calls") }),
  stream: () => stream({ rounds: number("rounds"), bytes: number("bytes") }),
  fairness: () => fairness({ rounds: number("rounds"), seconds: number("seconds") }),
  idle: () => idle({ connections: number("idle"), seconds: number("seconds") }),
  memory: () => memory({ requests: number("requests"), connections: number("connections") }),
  ca: () => ca({ rounds: number("rounds"), seconds: number("seconds") }),
  authz: () => authz({ rounds: number("rounds"), seconds: number("seconds") }),
  wasm: () => wasm({ rounds: number("rounds"), seconds: number("seconds") }),
  start: () => start(number("starts")),
};

/** Measures, keeps and prints. */
async function run(name: Result["bench"]): Promise<Result> {
  const result = await RUN[name]();
  const line = values["no-record"] ? result : await record(name, result);
  console.log(JSON.stringify(line, null, 2));
  return result;
}

const name = positionals[0] ?? "";
const known = BENCHES.find((one) => one === name);
if (known !== undefined) {
  const result = await run(known);
  if ("withinLimit" in result && !result.withinLimit) Deno.exit(1);
} else if (name === "all") {
  const results: Result[] = [];
  for (const one of BENCHES) results.push(await run(one));
  console.log(table(results));
} else if (name === "table") {
  const all = await Promise.all(BENCHES.map((one) => kept<Result>(one)));
  console.log(table(all.flatMap((lines) => lines.slice(-1))));
} else if (name === "revoke") {
  const connections = values.connections === "1e5" ? 20 : number("connections");
  const sidecars = number("sidecars");
  const result = await revoke({ sidecars, connections, rounds: number("rounds") });
  if (!values["no-record"]) await record(name, result);
  console.log(JSON.stringify(result, null, 2));
} else if (name === "profile") {
  const load = values.load;
  if (load !== "requests" && load !== "stream") {
    console.error(`--load is "${load}" and must be requests or stream`);
    Deno.exit(2);
  }
  const result = await profile({ seconds: number("seconds"), load });
  if (!values["no-record"]) await record(name, result);
  console.log(profileTable(result));
} else {
  console.error(USAGE);
  Deno.exit(2);
}
