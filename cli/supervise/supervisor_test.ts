import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { holdSocket } from "./held_socket.ts";
import { Supervisor } from "./supervisor.ts";
import { FakeWorker } from "./testing.ts";
import type { WorkerSpec } from "./worker.ts";

/** A supervisor whose workers are made by the test, one after the other. */
function rig(workers: FakeWorker[]) {
  /** Which listeners each was given a socket for. */
  const given: string[][] = [];
  let sockets: WorkerSpec["sockets"] = new Map();
  const starting = Supervisor.start({
    workers: 1,
    listeners: new Map(),
    admin: { host: "127.0.0.1", port: 0 },
    workerArgs: [],
    clock: systemClock,
    log: silentLog,
    startWorker: ({ sockets: last }: WorkerSpec) => {
      sockets = last;
      return workers[given.push([...last.keys()]) - 1]!;
    },
  });
  let ready = false;
  starting.then(() => ready = true);
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
  return {
    given,
    get sockets(): WorkerSpec["sockets"] {
      return sockets;
    },
    starting,
    settle,
    isReady: () => ready,
  };
}

/** Two that nobody has just now. */
function freePorts(): [number, number] {
  const held = [holdSocket("127.0.0.1", 0), holdSocket("127.0.0.1", 0)] as const;
  for (const socket of held) socket.close();
  return [held[0].port, held[1].port];
}

Deno.test("Supervisor is ready only when the worker that bound the ports itself has ended", async () => {
  const [first, second] = [new FakeWorker(1, false), new FakeWorker(2)] as const;
  const under = rig([first, second]);
  first.serve({ http: "127.0.0.1:0" });
  await under.settle();
  assert.deepEqual(under.given, [[], ["http"]]);
  second.serve({ http: "127.0.0.1:0" });
  await under.settle();
  assert.deepEqual(first.signals, ["SIGTERM"]);
  assert.equal(under.isReady(), false);
  first.end(0);
  const supervisor = await under.starting;
  assert.deepEqual(supervisor.ready().workers, [{ worker: 0, pid: 2 }]);
  await supervisor.stop();
});

Deno.test("Supervisor holds the ports of listeners that came later, or moved, for the next worker", async () => {
  const workers = [1, 2, 3].map((pid) => new FakeWorker(pid)) as [
    FakeWorker,
    FakeWorker,
    FakeWorker,
  ];
  const [free, moved] = freePorts();
  const under = rig(workers);
  workers[0].serve();
  const supervisor = await under.starting;
  workers[1].serve({ http: `127.0.0.1:${free}` });
  await supervisor.handOver();
  workers[2].serve({ http: `127.0.0.1:${moved}` });
  await supervisor.handOver();
  assert.deepEqual(under.given, [[], [], ["http"]]);
  assert.equal(under.sockets.get("http")?.port, moved);
  await supervisor.stop();
});

Deno.test("Supervisor starts one worker only when it holds all ports itself", async () => {
  const only = new FakeWorker(1);
  const under = rig([only]);
  only.serve();
  const supervisor = await under.starting;
  assert.equal(under.given.length, 1);
  await supervisor.stop();
});
