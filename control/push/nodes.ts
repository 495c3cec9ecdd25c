/** Every proxy the control plane knows of: what it is, what it was sent, and what it last said of itself. */
import type { Clock } from "../../core/clock.ts";
import type { ProxyReport } from "../schema/protocol.ts";
import type { ProxyState, ProxyView, Sample } from "../view.ts";
import type { Delivery } from "./delivery.ts";
import type { Hello } from "./messages.ts";

/** A proxy that went away is shown for so long. */
export const AWAY_SHOWN_MS = 5 * 60_000;
export const MAX_NODES = 20_000;
/** Totals kept for rates: one in five seconds for a minute. */
const SAMPLE_MS = 5000, SAMPLES = 13;

/** What a node is reached by while it is connected. */
export interface NodeLink {
  readonly delivery: Delivery;
  /** Cuts the connection, because of `reason`. */
  cut(reason: string): void;
  /** Asks for a request for a new certificate, at some moment within so long. */
  renew(withinMs: number): void;
  /** Tells the proxy that another process took its place, and cuts. */
  replaced(): void;
}

export class ProxyNode {
  readonly id: string;
  readonly hello: Hello;
  readonly identity: string;
  readonly connectedMs: number;
  /** Where other sidecars reach it; null for gateways. */
  readonly inbound: string | null;
  readonly link: NodeLink;
  heardMs: number;
  connected = true;
  report: ProxyReport | null = null;
  samples: Sample[] = [];

  constructor(
    about: { id: string; hello: Hello; identity: string; inbound: string | null },
    link: NodeLink,
    nowMs: number,
  ) {
    this.id = about.id;
    this.hello = about.hello;
    this.identity = about.identity;
    this.inbound = about.inbound;
    this.link = link;
    this.connectedMs = this.heardMs = nowMs;
  }

  get state(): ProxyState {
    const { delivery } = this.link;
    if (!this.connected) return "away";
    if (delivery.reason !== "") return "refused";
    return delivery.isInForce ? "in force" : "behind";
  }

  reported(report: ProxyReport, nowMs: number): void {
    // Totals that went down are those of another process at the same place.
    if (this.report !== null && report.uptimeMs < this.report.uptimeMs) this.samples = [];
    this.report = report;
    const last = this.samples.at(-1);
    if (last !== undefined && nowMs - last.atMs < SAMPLE_MS) return;
    this.samples.push({ atMs: nowMs, routes: report.routes });
    if (this.samples.length > SAMPLES) this.samples.shift();
  }

  view(): ProxyView {
    const { hello, link: { delivery } } = this;
    return {
      id: this.id,
      node: hello.node,
      identity: this.identity,
      labels: hello.labels,
      inbound: this.inbound,
      admin: hello.admin,
      pid: hello.pid,
      state: this.state,
      connectedMs: this.connectedMs,
      heardMs: this.heardMs,
      target: delivery.target?.snapshot.version ?? null,
      version: delivery.version,
      revision: delivery.revision,
      reason: delivery.reason,
      report: this.report,
      samples: this.samples,
    };
  }
}

export class Nodes {
  readonly #clock: Clock;
  readonly #nodes = new Map<string, ProxyNode>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(id: string): ProxyNode | undefined {
    return this.#nodes.get(id);
  }

  all(): readonly ProxyNode[] {
    return [...this.#nodes.values()];
  }

  connected(): readonly ProxyNode[] {
    return this.all().filter((node) => node.connected);
  }

  /** Whether a younger process than the one that says this is connected at its place: that one speaks. */
  hasYounger(id: string, hello: Hello): boolean {
    const present = this.#nodes.get(id);
    if (present === undefined || !present.connected) return false;
    return (present.hello.startedMs ?? 0) > (hello.startedMs ?? Infinity);
  }

  /** Takes the place of an older connection of the same proxy. False: there are too many. */
  add(node: ProxyNode): boolean {
    const before = this.#nodes.get(node.id);
    if (before === undefined && this.#nodes.size >= MAX_NODES) return false;
    this.#nodes.set(node.id, node);
    if (before === undefined) return true;
    // Its reports go on where they were, so that a reconnect leaves no hole in the pages.
    node.report = before.report;
    node.samples = before.samples;
    if (before.connected) {
      before.connected = false;
      before.link.replaced();
    }
    return true;
  }

  /** Whether `node` is still the present connection of its proxy. */
  isPresent(node: ProxyNode): boolean {
    return this.#nodes.get(node.id) === node;
  }

  /** Its connection is gone; it is shown as away for a while, or not at all when it said bye. */
  gone(node: ProxyNode, saidBye: boolean): void {
    node.connected = false;
    node.heardMs = this.#clock.nowMs();
    if (saidBye && this.isPresent(node)) this.#nodes.delete(node.id);
  }

  sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const [id, node] of this.#nodes) {
      if (!node.connected && nowMs - node.heardMs > AWAY_SHOWN_MS) this.#nodes.delete(id);
    }
  }
}

/** One id per place in the mesh: two replicas of one service differ in where they listen. */
export function nodeId(identity: string, hello: Hello, inbound: string | null): string {
  const worker = hello.worker ?? 0;
  return `${identity} ${inbound ?? hello.admin}${worker === 0 ? "" : ` worker ${worker}`}`;
}
