/** The FilterBinding that installs a listing: granted exactly what the module was seen to need. */
import { stringify } from "yaml";
import type { GivenPermissions } from "../../wasm/permissions.ts";

export interface BindingInput {
  /** `publisher/name`. */
  readonly name: string;
  readonly version: string;
  readonly phase: "AUTHN" | "AUTHZ" | "TRANSFORM" | "STATS";
  readonly capabilities: readonly string[];
  readonly permissions?: GivenPermissions;
  readonly config?: unknown;
  readonly target?: { readonly kind: string; readonly name: string; readonly namespace?: string };
  readonly failMode?: "open" | "closed";
}

/** Fail closed where a skipped filter would let something through, open where it only decorates. */
const FAIL_MODES = {
  AUTHN: "closed",
  AUTHZ: "closed",
  TRANSFORM: "closed",
  STATS: "open",
} as const;

/** As YAML; without a target one that must be filled in. */
export function bindingOf(input: BindingInput): string {
  return stringify(bindingResource(input));
}

export function bindingResource(input: BindingInput): Record<string, unknown> {
  const target = input.target ?? { kind: "Service", name: "NAME" };
  const metadata: Record<string, string> = {
    name: input.name.split("/")[1]!.replace(/[._]/g, "-"),
  };
  if (target.namespace !== undefined) metadata.namespace = target.namespace;
  const spec: Record<string, unknown> = {
    targetRefs: [{ kind: target.kind, name: target.name }],
    module: { name: input.name, version: input.version },
    phase: input.phase,
    capabilities: input.capabilities,
    failMode: input.failMode ?? FAIL_MODES[input.phase],
  };
  if (input.permissions !== undefined) spec.permissions = input.permissions;
  if (input.config !== undefined) spec.config = input.config;
  return { apiVersion: "denim.dev/v1", kind: "FilterBinding", metadata, spec };
}
