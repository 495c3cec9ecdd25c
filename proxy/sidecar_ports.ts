/** The listeners of a sidecar: open at once, or, at ports shared with another process, once it can serve. */
import type { Engine } from "./engine.ts";
import type { SidecarOptions } from "./options.ts";

export class SidecarPorts {
  readonly #engine: Engine;
  readonly #options: SidecarOptions;
  #opening: Promise<string> | null = null;

  constructor(engine: Engine, options: SidecarOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /**
   * Where other sidecars reach this one. Opens the listeners, unless there is no configuration yet and
   * the place is known without: then the process to be replaced goes on serving there alone, which
   * is better than a share of requests that meet "not ready".
   */
  async address(): Promise<string> {
    const known = this.#engine.snapshot === null ? sharedInbound(this.#options) : null;
    return known ?? await this.open();
  }

  /** Once: later calls give what the first one gave. */
  open(): Promise<string> {
    return this.#opening ??= this.#open();
  }

  async #open(): Promise<string> {
    const { inbound, outbound, upstreams, advertise } = this.#options;
    const address = await this.#engine.open("inbound", inbound.host, inbound.port);
    await this.#engine.open("outbound", outbound.host, outbound.port);
    for (const { authority, bind } of upstreams) {
      await this.#engine.openUpstream(authority, bind.host, bind.port);
    }
    return advertise ?? address;
  }
}

/** Null: it has to listen to know. */
function sharedInbound(options: SidecarOptions): string | null {
  if (options.reusePort !== true) return null;
  const { host, port } = options.supervised?.sockets.get("inbound") ?? options.inbound;
  return port === 0 ? null : options.advertise ?? `${host}:${port}`;
}
