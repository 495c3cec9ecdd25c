/** grpc-go's interop programs: where they are built, how they are started, and the cases they know. */
import { choosePorts } from "../../../cli/local/ports.ts";
import { until } from "../../support/mesh.ts";

const VERSION = "v1.85.0";
const MODULE = "google.golang.org/grpc/interop";
const FOLDER = new URL(`../../../.denim/grpc-interop/${VERSION}`, import.meta.url).pathname;

/** Makes the client report what servers say of their load, which the orca cases look at. */
const REPORT_LOAD = '{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}';

/** Every case of the client's that needs no cloud, nor a server that says which of several it is. */
export const CASES: readonly (readonly [name: string, ...flags: string[]])[] = [
  ["empty_unary"],
  ["large_unary"],
  ["client_streaming"],
  ["server_streaming"],
  ["ping_pong"],
  ["empty_stream"],
  ["timeout_on_sleeping_server"],
  ["cancel_after_begin"],
  ["cancel_after_first_response"],
  ["status_code_and_message"],
  ["special_status_message"],
  ["custom_metadata"],
  ["unimplemented_method"],
  ["unimplemented_service"],
  ["orca_per_rpc", "--service_config_json", REPORT_LOAD],
  ["orca_oob", "--service_config_json", REPORT_LOAD],
  ["rpc_soak", "--soak_iterations", "50"],
  ["channel_soak", "--soak_iterations", "20"],
];

/** Whether both programs are built. */
export async function isBuilt(): Promise<boolean> {
  for (const name of ["client", "server"]) {
    if ((await Deno.stat(`${FOLDER}/${name}`).catch(() => null))?.isFile !== true) return false;
  }
  return true;
}

/** Builds them, which takes Go and the network; rejects with what Go said. */
export async function build(): Promise<void> {
  if (await isBuilt()) return;
  await Deno.mkdir(FOLDER, { recursive: true });
  const { success, stderr } = await new Deno.Command("go", {
    args: ["install", `${MODULE}/client@${VERSION}`, `${MODULE}/server@${VERSION}`],
    env: { GOBIN: FOLDER },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  const said = new TextDecoder().decode(stderr).trim().split("\n").slice(-5).join("\n");
  throw new Error(`Cannot build ${MODULE} ${VERSION}: ${said}`);
}

/** The interop server at a free port of the loopback, in plaintext. */
export class InteropServer implements AsyncDisposable {
  readonly address: string;
  readonly #child: Deno.ChildProcess;

  private constructor(port: number) {
    this.address = `127.0.0.1:${port}`;
    this.#child = new Deno.Command(`${FOLDER}/server`, {
      args: ["--port", String(port)],
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  static async start(): Promise<InteropServer> {
    const { port } = choosePorts(["port"], {});
    const server = new InteropServer(port!);
    await until(async () => {
      const socket = await Deno.connect({ port: port! }).catch(() => null);
      socket?.close();
      return socket;
    }, 10_000);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** Where the client goes, and how. */
export interface Way {
  readonly name: string;
  readonly host: string;
  readonly port: string;
  readonly flags?: readonly string[];
}

/** Runs one case; null when it passed, else what the client said. */
export async function runCase(
  [name, ...own]: (typeof CASES)[number],
  { host, port, flags = [] }: Way,
): Promise<string | null> {
  const { success, stdout, stderr } = await new Deno.Command(`${FOLDER}/client`, {
    args: ["--server_host", host, "--server_port", port, "--test_case", name, ...own, ...flags],
    signal: AbortSignal.timeout(30_000),
  }).output();
  if (success) return null;
  const decoder = new TextDecoder();
  return (decoder.decode(stdout) + decoder.decode(stderr)).trim().slice(-2000) || "(nothing)";
}
