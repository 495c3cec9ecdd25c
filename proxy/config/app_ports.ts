/** Where the workload's own ports are: the control plane does not know, its sidecar does. */
import type { BackendSpec, Snapshot } from "../../control/schema/snapshot.ts";

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** `app` is the workload's main port, `app:PORT` one that a Service names; after the slash: for what. */
const APP = /^app(?::(\d{1,5}))?(?:\/(?:h2|tcp))?$/;

/** The same snapshot, with addresses for the backends of the inbound listener. */
export function withApp(
  snapshot: Snapshot,
  at: { readonly app: Place; readonly appPorts: ReadonlyMap<number, Place> },
): Snapshot {
  const backends: Record<string, BackendSpec> = {};
  for (const [name, backend] of Object.entries(snapshot.backends)) {
    const app = APP.exec(name);
    backends[name] = app === null ? backend : {
      ...backend,
      endpoints: [{ address: addressOf(app[1] === undefined ? null : Number(app[1]), at) }],
    };
  }
  return { ...snapshot, backends };
}

function addressOf(
  port: number | null,
  { app, appPorts }: { readonly app: Place; readonly appPorts: ReadonlyMap<number, Place> },
): string {
  const place = port === null ? app : appPorts.get(port) ?? { host: app.host, port };
  const { host } = place;
  return `${host.includes(":") ? `[${host}]` : host}:${place.port}`;
}
