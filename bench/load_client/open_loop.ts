/**
 * Open-loop HTTP/1.1 load: `deno run -A open_loop.ts '{"port":…,"perSecond":…}'` sends GET requests at a
 * constant rate, whatever becomes of them, and prints a {@link LatencyReport} as JSON.
 *
 *   due ──idle connection?──▶ sent ──▶ answered
 *     └──none──▶ waits, its time counting
 *
 * One thread that sleeps in epoll until the next request is due or an answer is there.
 */
import { close, connectTo, Poll, receive, send, wakePunctually } from "./libc.ts";
import { responseSize } from "./response.ts";
import { type LatencyReport, Schedule } from "./schedule.ts";

export interface OpenLoopOptions {
  readonly port: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** More than are ever needed at once: a request that waits for one counts as slow. */
  readonly connections: number;
  readonly host: string;
}

const MAX_RESPONSE_BYTES = 64 * 1024;
/** How long answers may take after the last request was due. */
const GRACE_MS = 2_000;

class Connection {
  readonly fd: number;
  readonly bytes = new Uint8Array(MAX_RESPONSE_BYTES);
  #length = 0;
  /** Request under way; -1 for none. */
  request = -1;

  constructor(port: number) {
    this.fd = connectTo(port);
  }

  /** Status of the response once it is complete, else 0. Throws when the connection ended or broke. */
  read(): number {
    const count = receive(this.fd, this.bytes.subarray(this.#length));
    if (count <= 0) throw new Error("A connection ended while a response was expected");
    this.#length += count;
    const size = responseSize(this.bytes.subarray(0, this.#length));
    if (size === null || size.bytes > this.#length) return 0;
    this.#length = 0;
    return size.status;
  }
}

export function openLoop(options: OpenLoopOptions): LatencyReport {
  wakePunctually();
  const request = new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: ${options.host}\r\n\r\n`);
  const connections = Array.from(
    { length: options.connections },
    () => new Connection(options.port),
  );
  const poll = new Poll(options.connections);
  connections.forEach(({ fd }, id) => poll.add(fd, id));
  // The one that was idle longest goes first, so that all of them are used.
  const idle = connections.map((_, id) => id), waiting: number[] = [];
  const schedule = new Schedule({ firstMs: performance.now() + 1, ...options });
  const lastDueMs = schedule.dueMs(schedule.total - 1);
  while (!schedule.finished) {
    const nowMs = performance.now();
    for (let due = schedule.take(nowMs); due >= 0; due = schedule.take(nowMs)) waiting.push(due);
    while (waiting.length > 0 && idle.length > 0) {
      const connection = connections[idle.shift()!]!;
      connection.request = waiting.shift()!;
      if (send(connection.fd, request) !== request.length) {
        throw new Error("A request was not sent");
      }
    }
    const untilMs = Math.min(schedule.nextDueMs, lastDueMs + GRACE_MS);
    if (nowMs > lastDueMs + GRACE_MS) break;
    const ready = poll.wait(Math.max(0, untilMs - performance.now()));
    for (let index = 0; index < ready; index++) {
      const id = poll.ready(index), connection = connections[id]!;
      const status = connection.read();
      if (status === 0) continue;
      schedule.answered(connection.request, performance.now(), status === 200);
      idle.push(id);
    }
  }
  for (const { fd } of connections) close(fd);
  return schedule.report();
}

if (import.meta.main) {
  console.log(JSON.stringify(openLoop(JSON.parse(Deno.args[0]!) as OpenLoopOptions)));
}
