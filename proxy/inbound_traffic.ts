/** Who comes to a sidecar with mTLS and who without: what a team has to know before it turns plaintext off. */
import type { Counter, Metrics } from "../core/metrics.ts";
import type { InboundReport, PlaintextCaller } from "../control/schema/protocol.ts";
import { addressOf, type Entry, type PeerMode } from "./entry.ts";

/** Plaintext callers that are told apart, by address; of more the one unheard of for longest is forgotten. */
export const MAX_PLAINTEXT_CALLERS = 256;

/** What one connection's requests are counted in. */
export interface Tally {
  request(): void;
}

export class InboundTraffic {
  readonly #nowMs: () => number;
  readonly #mtls: Way;
  readonly #plaintext: Way;
  /** By address, the one heard of last at the end. */
  readonly #callers = new Map<string, Caller>();
  #forgotten = 0;

  constructor(metrics: Metrics, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#mtls = new Way(metrics, "mtls");
    this.#plaintext = new Way(metrics, "plaintext");
  }

  /** A connection was let in. */
  entered({ admitted, remote }: Entry): Tally {
    const way = admitted === null ? this.#plaintext : this.#mtls;
    way.connections.add();
    if (admitted !== null) return way;
    // Without the port, which is another each time.
    const caller = this.#caller(addressOf(remote));
    caller.connections++;
    return caller;
  }

  report(mode: PeerMode): InboundReport {
    return {
      mode,
      mtls: this.#mtls.report(),
      plaintext: this.#plaintext.report(),
      callers: [...this.#callers.values()].reverse().map((caller) => caller.report()),
      forgotten: this.#forgotten,
    };
  }

  #caller(address: string): Caller {
    const known = this.#callers.get(address);
    const caller = known ?? new Caller(address, this.#plaintext, this.#nowMs);
    caller.lastMs = this.#nowMs();
    this.#callers.delete(address);
    this.#callers.set(address, caller);
    if (this.#callers.size > MAX_PLAINTEXT_CALLERS) {
      const [oldest] = this.#callers.keys();
      this.#callers.delete(oldest!);
      this.#forgotten++;
    }
    return caller;
  }
}

class Way implements Tally {
  readonly connections: Counter;
  readonly requests: Counter;

  constructor(metrics: Metrics, tls: "mtls" | "plaintext") {
    this.connections = metrics.counter(
      "denim_inbound_connections_total",
      "Connections a sidecar let in, with mTLS and without",
      { tls },
    );
    this.requests = metrics.counter(
      "denim_inbound_requests_total",
      "Requests that came by them",
      { tls },
    );
  }

  request(): void {
    this.requests.add();
  }

  report(): InboundReport["mtls"] {
    return { connections: this.connections.value, requests: this.requests.value };
  }
}

class Caller implements Tally {
  readonly #address: string;
  readonly #way: Way;
  readonly #nowMs: () => number;
  connections = 0;
  #requests = 0;
  lastMs = 0;

  constructor(address: string, way: Way, nowMs: () => number) {
    this.#address = address;
    this.#way = way;
    this.#nowMs = nowMs;
  }

  request(): void {
    this.#way.request();
    this.#requests++;
    this.lastMs = this.#nowMs();
  }

  report(): PlaintextCaller {
    const { connections, lastMs } = this;
    return { address: this.#address, connections, requests: this.#requests, lastMs };
  }
}
