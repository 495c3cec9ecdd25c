/** The standalone proxy under measurement: one Gateway listener, one route, one static endpoint. */
import { PROXY_ENV, proxyV8Flags } from "../proxy/launch.ts";
import { startPinned } from "./process.ts";
import type { Pinned } from "./process.ts";

const CLI = new URL("../cli/main.ts", import.meta.url).pathname;

export function proxyConfig(port: number, originPort: number): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: denim
  listeners:
    - { name: http, port: ${port}, protocol: HTTP }
---
apiVersion: denim.dev/v1
kind: Service
metadata: { name: origin }
spec:
  ports: [{ port: 80, protocol: HTTP }]
  endpoints: ["127.0.0.1:${originPort}"]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: all }
spec:
  parentRefs: [{ name: edge }]
  rules:
    - backendRefs: [{ name: origin, port: 80 }]
`;
}

export interface RunningProxy extends Pinned {
  /** From the start of the process to its ready line. */
  readonly readyMs: number;
}

/** Starts `denim proxy --config` and waits for its ready line. */
export async function startProxy(core: number, config: string): Promise<RunningProxy> {
  const path = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(path, config);
  const startedMs = performance.now();
  const proxy = startPinned(
    core,
    [Deno.execPath(), "run", "-A", proxyV8Flags(), CLI, "proxy", "--config", path],
    { stdout: "piped", env: { ...PROXY_ENV } },
  );
  const dispose = async (): Promise<void> => {
    await proxy[Symbol.asyncDispose]();
    await Deno.remove(path);
  };
  try {
    await untilReady(proxy.process.stdout);
  } catch (problem) {
    await dispose();
    throw problem;
  }
  return {
    pid: proxy.pid,
    process: proxy.process,
    readyMs: performance.now() - startedMs,
    [Symbol.asyncDispose]: dispose,
  };
}

async function untilReady(stdout: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`denim proxy ended before it was ready: ${text}`);
    text += value;
    if (/"ready":\s*true/.test(text)) break;
  }
  // Nothing more is expected there; keep reading so that the pipe never fills.
  void (async () => {
    while (!(await reader.read()).done);
  })();
}
