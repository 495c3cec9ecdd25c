/** A client for tests that sees what is on the wire: any Host, no hidden retry, and a steady load. */
import { Agent, request as nodeRequest } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { concat } from "../../core/bytes.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Call {
  readonly method?: string;
  /** `host` is sent as given, unlike with fetch. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly timeoutMs?: number;
  /** Absent: a connection of its own, closed afterwards. */
  readonly agent?: Agent;
}

const TIMEOUT_MS = 20_000;

/** One request; rejects only when there was no complete response. */
export function http(url: string, call: Call = {}): Promise<Answer> {
  const told = Promise.withResolvers<Answer>();
  const request = nodeRequest(url, {
    method: call.method ?? "GET",
    headers: { ...call.headers },
    agent: call.agent ?? false,
  }, (response) => {
    const parts: Uint8Array[] = [];
    response.on("data", (part: Uint8Array) => parts.push(part));
    response.on("error", told.reject);
    response.on("aborted", () => told.reject(new Error("The response was cut off")));
    response.on("end", () =>
      told.resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: new TextDecoder().decode(concat(parts)),
      }));
  });
  const limitMs = call.timeoutMs ?? TIMEOUT_MS;
  const timer = setTimeout(
    () => request.destroy(new Error(`No response within ${limitMs} ms`)),
    limitMs,
  );
  request.on("error", told.reject);
  request.end(call.body);
  return told.promise.finally(() => clearTimeout(timer));
}

export interface LoadOptions {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Requests in flight at any time, each on a kept connection. */
  readonly workers?: number;
  /** Pause of a worker between two requests. */
  readonly pauseMs?: number;
  /** Null when the answer is as it should be, else what is wrong with it. Default: status 200. */
  readonly check?: (answer: Answer) => string | null;
}

/** What came of a load: every request is either good or a failure in words. */
export interface LoadResult {
  readonly requests: number;
  readonly failures: readonly string[];
  /** Milliseconds, sorted. */
  readonly latencies: readonly number[];
}

/** Failures kept in words; more are only counted in `requests`. */
const MAX_FAILURES = 200;

/** Sends requests from `workers` loops until `stop`. */
export class Load {
  readonly #options: LoadOptions;
  readonly #agent: Agent;
  readonly #failures: string[] = [];
  readonly #latencies: number[] = [];
  readonly #workers: Promise<void>[];
  #requests = 0;
  #running = true;

  constructor(options: LoadOptions) {
    const workers = options.workers ?? 8;
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: workers });
    this.#workers = Array.from({ length: workers }, () => this.#work());
  }

  get requests(): number {
    return this.#requests;
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Resolves when `count` more requests have ended. */
  async more(count: number): Promise<void> {
    const target = this.#requests + count;
    while (this.#running && this.#requests < target) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<LoadResult> {
    this.#running = false;
    await Promise.all(this.#workers);
    this.#agent.destroy();
    return {
      requests: this.#requests,
      failures: this.#failures,
      latencies: this.#latencies.sort((a, b) => a - b),
    };
  }

  async #work(): Promise<void> {
    const { url, method = "GET", headers = {}, body, pauseMs } = this.#options;
    const call = { method, headers, agent: this.#agent, ...(body === undefined ? {} : { body }) };
    const check = this.#options.check ?? is200;
    while (this.#running) {
      const startedMs = performance.now();
      try {
        const answer = await http(url, call);
        const wrong = check(answer);
        if (wrong !== null) this.#fail(wrong);
      } catch (problem) {
        this.#fail(problem instanceof Error ? problem.message : String(problem));
      }
      this.#latencies.push(performance.now() - startedMs);
      this.#requests++;
      if (pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  #fail(reason: string): void {
    if (this.#failures.length < MAX_FAILURES) this.#failures.push(reason);
  }
}

function is200(answer: Answer): string | null {
  return answer.status === 200 ? null : `status ${answer.status}: ${answer.body.slice(0, 200)}`;
}
