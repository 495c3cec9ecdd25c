/** `denim get`: resources as they are applied, and proxies, services and filters as they run. */
import type { Resource } from "../../control/schema/kinds.ts";
import type { FilterView, ProxyView, ServiceView } from "../../control/view.ts";
import type { Listing } from "../../control/market/types.ts";
import type { Args } from "../args.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { mtlsTable, mtlsViews } from "../mtls_table.ts";
import { OUTPUT_FLAG, outputForm, structured } from "../output.ts";
import { type Binding, filterTable, proxyTable, resourceTable, serviceTable } from "../tables.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim get KIND [NAME] [-n NAMESPACE] [-o yaml|json]",
  about: "Shows resources of a kind (gateways, httproutes, grpcroutes, tcproutes, tlsroutes,\n" +
    "services, trafficpolicies, authorizationpolicies, requestauthentications,\n" +
    "peerauthentications, filterbindings, referencegrants, secrets, meshconfigs, all),\n" +
    "or what runs:\n" +
    "  proxies    every proxy, what it has in force, and why not\n" +
    "  services   every Service and its workloads\n" +
    "  filters    every filter in every proxy: state, traps, fuel and time per call\n" +
    "  mtls       what still comes in plaintext to each workload, from where, and whether\n" +
    "             it is safe to turn STRICT",
  words: { min: 1, max: 2, names: "KIND, such as proxies, filters or httproutes," },
  flags: {
    namespace: { value: "NAME", short: "n", help: "Only of this namespace; with NAME: its own" },
    ...OUTPUT_FLAG,
    ...CLIENT_FLAGS,
  },
  examples: ["denim get filters", "denim get httproute reviews -o yaml", "denim get all -o yaml"],
}, async (args) => {
  const client = await Client.find(args);
  const [kind, name] = args.words;
  // A Service is both: a resource when it is asked for by name or as text, what runs otherwise.
  const asTable = outputForm(args) === "table";
  if (kind === "proxies" || kind === "proxy") return await getProxies(client, args);
  if (kind === "filters" || kind === "filter") return await getFilters(client, args);
  if (kind === "mtls") return await getMtls(client, args);
  if (kind === "services" && name === undefined && asTable) return await getServices(client, args);
  return await getResources(client, args, kind!, name);
});

async function getProxies(client: Client, args: Args): Promise<number> {
  const { proxies } = await client.get<{ proxies: ProxyView[] }>("/proxies");
  const wanted = proxies.filter(({ node: { name, namespace } }) =>
    matches(args, namespace) && (args.words[1] === undefined || args.words[1] === name)
  );
  return print(args, wanted, () => proxyTable(wanted, Date.now()), "No proxy is connected");
}

async function getServices(client: Client, args: Args): Promise<number> {
  const { services } = await client.get<{ services: ServiceView[] }>("/services");
  const wanted = services.filter((one) => matches(args, one.namespace));
  return print(args, wanted, () => serviceTable(wanted), "There is no Service");
}

async function getFilters(client: Client, args: Args): Promise<number> {
  const [{ bindings: running }, { resources }, { filters: listings }] = await Promise.all([
    client.get<{ bindings: FilterView[] }>("/bindings"),
    client.get<{ resources: Binding[] }>("/resources/FilterBinding"),
    client.get<{ filters: Listing[] }>("/filters"),
  ]);
  const form = outputForm(args);
  if (form !== "table") {
    console.log(structured(form, { bindings: resources, running, listings }));
    return EXIT.ok;
  }
  console.log(filterTable({ running, bindings: resources, listings }));
  return EXIT.ok;
}

async function getMtls(client: Client, args: Args): Promise<number> {
  const { proxies } = await client.get<{ proxies: ProxyView[] }>("/proxies");
  const connected = proxies.filter(({ state, node: { name, namespace } }) =>
    state !== "away" && matches(args, namespace) &&
    (args.words[1] === undefined || args.words[1] === name)
  );
  const views = mtlsViews(connected, Date.now());
  return print(args, views, () => mtlsTable(views, Date.now()), "No sidecar has reported yet");
}

async function getResources(
  client: Client,
  args: Args,
  kind: string,
  name: string | undefined,
): Promise<number> {
  if (name !== undefined) {
    const namespace = args.find("namespace") ??
      (/^mesh/i.test(kind) ? "denim-system" : "default");
    const path = [kind, namespace, name].map(encodeURIComponent).join("/");
    const resource = await client.get<Resource>(`/resources/${path}`);
    return print(args, resource, () => resourceTable([resource], Date.now()), "");
  }
  const path = kind === "all" ? "/resources" : `/resources/${encodeURIComponent(kind)}`;
  const { resources } = await client.get<{ resources: Resource[] }>(path);
  const wanted = resources.filter((one) => matches(args, one.metadata.namespace));
  return print(args, wanted, () => resourceTable(wanted, Date.now()), "There is none");
}

function matches(args: Args, namespace: string): boolean {
  const wanted = args.find("namespace");
  return wanted === null || wanted === namespace;
}

function print(args: Args, value: unknown, asTable: () => string, none: string): number {
  const form = outputForm(args);
  if (form !== "table") console.log(structured(form, value));
  else console.log(Array.isArray(value) && value.length === 0 ? none : asTable());
  return EXIT.ok;
}
