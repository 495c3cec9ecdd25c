/** Endpoints given by name become one endpoint for each address behind the name. */
import { isIP } from "node:net";
import type { BackendSpec, EndpointSpec, Snapshot } from "../../control/schema/snapshot.ts";

/** Names the system must be asked for; those of this host it knows by itself. */
export function namesOf(snapshot: Snapshot): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { endpoints } of Object.values(snapshot.backends)) {
    for (const { address } of endpoints) {
      const name = nameOf(address);
      if (name !== null) names.add(name);
    }
  }
  return names;
}

/** The same snapshot, unless it names an endpoint whose addresses are known. */
export function expandNames(
  snapshot: Snapshot,
  addressesOf: (name: string) => readonly string[] | null,
): Snapshot {
  let changed = false;
  const backends: Record<string, BackendSpec> = {};
  for (const [key, backend] of Object.entries(snapshot.backends)) {
    const endpoints = backend.endpoints.flatMap((endpoint): readonly EndpointSpec[] => {
      const name = nameOf(endpoint.address);
      const addresses = name === null ? null : addressesOf(name);
      // Without an answer the connection asks by itself, and fails by itself.
      if (addresses === null) return [endpoint];
      changed = true;
      const port = endpoint.address.slice(endpoint.address.lastIndexOf(":") + 1);
      return addresses.map((ip) => ({
        ...endpoint,
        address: ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`,
      }));
    });
    backends[key] = { ...backend, endpoints };
  }
  return changed ? { ...snapshot, backends } : snapshot;
}

function nameOf(address: string): string | null {
  const host = address.slice(0, address.lastIndexOf(":"));
  if (host.startsWith("[") || isIP(host) !== 0) return null;
  return host === "localhost" || host.endsWith(".localhost") ? null : host;
}
