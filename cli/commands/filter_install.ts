/** `denim filter install`: binds an admitted filter to a target, granting exactly what it needs. */
import { stringify } from "yaml";
import { SENSITIVE_HEADERS } from "../../wasm/permissions.ts";
import { bindingResource, type Listing } from "../../control/market/mod.ts";
import { ACCESS_OPTIONS, findControl, readFlags, runVerb, UsageError } from "../filters/options.ts";
import { type ControlAccess, PushError } from "../filters/push.ts";

const KINDS: Readonly<Record<string, string>> = {
  service: "Service",
  httproute: "HTTPRoute",
  grpcroute: "GRPCRoute",
  gateway: "Gateway",
};

export function filterInstall(args: readonly string[]): Promise<number> {
  return runVerb(async () => {
    const { values, positionals } = readFlags(args, {
      ...ACCESS_OPTIONS,
      to: { type: "string" },
      namespace: { type: "string", short: "n", default: "default" },
      "fail-mode": { type: "string" },
      "dry-run": { type: "boolean", default: false },
    });
    const [name, version] = (positionals[0] ?? "").split("@");
    if (name === undefined || name === "") {
      throw new UsageError(
        "Name the filter: denim filter install PUBLISHER/NAME[@VERSION] --to KIND/NAME",
      );
    }
    const target = readTarget(values.to, values.namespace as string);
    const access = await findControl(values);
    const listing = await findListing(access, name, version);
    const resource = bindingResource({
      name: listing.name,
      version: listing.version,
      phase: listing.phase,
      capabilities: listing.capabilities,
      ...(listing.permissions === undefined ? {} : { permissions: listing.permissions }),
      ...(listing.config === "" ? {} : { config: configOf(listing.config) }),
      target,
      ...failModeOf(values["fail-mode"]),
    });
    if (values["dry-run"] === true) return console.log(stringify(resource).trimEnd());
    const message = `install ${listing.name}@${listing.version}`;
    const { revision } = await call(access, "POST", "apply", {
      resources: [resource],
      message,
    }) as {
      revision: number;
    };
    console.log(
      `Revision ${revision}: ${listing.name}@${listing.version} runs at ${target.kind} ${target.name}. ` +
        "denim get filters shows it at work.",
    );
    const named = credentialsOf(listing.permissions);
    if (named.length > 0) console.log(`It is granted credentials: ${named.join(", ")}.`);
  });
}

/** `reads authorization`, `writes set-cookie`: what an operator should have noticed. */
function credentialsOf(permissions: Listing["permissions"]): string[] {
  const { read = [], write = [], remove = [] } = permissions?.headers ?? {};
  return SENSITIVE_HEADERS.flatMap((name) => [
    ...(read.includes(name) ? [`reads ${name}`] : []),
    ...(write.includes(name) ? [`writes ${name}`] : []),
    ...(remove.includes(name) ? [`removes ${name}`] : []),
  ]);
}

function readTarget(
  to: unknown,
  namespace: string,
): { kind: string; name: string; namespace: string } {
  const [kind, name] = typeof to === "string" ? to.split("/") : [];
  const known = KINDS[(kind ?? "").toLowerCase()];
  if (known === undefined || name === undefined || name === "") {
    throw new UsageError(
      `--to is ${
        to === undefined ? "missing" : `"${to}"`
      }; wanted Service/NAME, HTTPRoute/NAME, GRPCRoute/NAME or ` +
        "Gateway/NAME",
    );
  }
  return { kind: known, name, namespace };
}

function failModeOf(value: unknown): { failMode?: "open" | "closed" } {
  if (value === undefined) return {};
  if (value === "open" || value === "closed") return { failMode: value };
  throw new UsageError(`--fail-mode is "${value}"; wanted open or closed`);
}

/** Configuration is kept as the text the module gets; JSON goes back into the binding as values. */
function configOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function findListing(
  access: ControlAccess,
  name: string,
  version: string | undefined,
): Promise<Listing> {
  if (version !== undefined) {
    return await call(access, "GET", `filters/${name}/${version}`) as Listing;
  }
  const { versions } = await call(access, "GET", `filters/${name}`) as { versions: Listing[] };
  return versions[0]!;
}

async function call(
  access: ControlAccess,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${access.url}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${access.token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  const answer = await response.json() as {
    error?: { code: string; message: string; details?: { path: string; message: string }[] };
  };
  if (answer.error === undefined) return answer;
  const details = (answer.error.details ?? []).map((one) => `\n  ${one.path}: ${one.message}`);
  throw new PushError(response.status, answer.error.code, answer.error.message + details.join(""));
}
