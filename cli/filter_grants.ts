/** What a filter asked for against what its binding grants, in a few words. */
import type { FilterBinding } from "../control/schema/filter_binding.ts";

export interface Asked {
  readonly capabilities: readonly string[];
}

/** `all`, `all 3`, `4 of 6, not http-call, tick`; `?` where one side is not known. */
export function grantsText(asked: Asked | null, binding: FilterBinding | undefined): string {
  if (binding === undefined) return "?";
  const { capabilities: granted = [], permissions } = binding.spec;
  const narrowed = permissions === undefined ? "" : ", by name";
  if (asked === null) return `${granted.length}${narrowed}`;
  const given = new Set<string>(granted);
  const lacking = asked.capabilities.filter((one) => !given.has(one));
  const count = asked.capabilities.length - lacking.length;
  if (lacking.length === 0) return `all ${count}${narrowed}`;
  return `${count} of ${asked.capabilities.length}, not ${lacking.join(", ")}${narrowed}`;
}
