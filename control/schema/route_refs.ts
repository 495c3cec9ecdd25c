/** What routes of all kinds refer to: the parents they belong to and the Services they lead to. */
import { z } from "zod";
import { GATEWAY_GROUP, label, name, port, problem, serviceGroup, show, wanted } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

const parentRef = z.strictObject({
  group: z.enum([GATEWAY_GROUP, "", "denim.dev"]).optional(),
  kind: z.enum(["Gateway", "Service"]).optional(),
  namespace: label.optional(),
  name,
  sectionName: name.optional(),
  port: port.optional(),
}).check((ctx) => {
  const { group = GATEWAY_GROUP, kind = "Gateway", sectionName } = ctx.value;
  if (kind === "Gateway" && group !== GATEWAY_GROUP) {
    problem(ctx, ["group"], `is ${show(group)}, wanted "${GATEWAY_GROUP}" for a Gateway`);
  }
  if (kind === "Service" && group === GATEWAY_GROUP) {
    problem(ctx, ["group"], 'must be "" (or "denim.dev") for a Service, and has to be written out');
  }
  if (kind === "Service" && sectionName !== undefined) {
    problem(ctx, ["sectionName"], "names a section, which a Service has none of; use port");
  }
});

export const parentRefs = z.array(parentRef).min(1, {
  error: "is empty, wanted at least one Gateway or Service the route belongs to",
}).max(LIMITS.parentRefs, { error: `holds more than ${LIMITS.parentRefs} parents` });

/** A backendRef without what belongs to one kind of route. */
export const serviceRef = {
  group: serviceGroup.optional(),
  kind: z.literal("Service").optional(),
  name: label,
  namespace: label.optional(),
  port: port.optional(),
  weight: z.int(wanted("a whole number")).min(0, wanted("a weight from 0 to 1000000"))
    .max(LIMITS.weight, wanted("a weight from 0 to 1000000")).optional(),
};

/** Two references to one parent must name different sections or ports. */
export function checkParents(
  ctx: z.core.ParsePayload<unknown>,
  refs: readonly ParentRef[],
): void {
  const seen = new Map<string, boolean>(); // parent → whether the first reference names a part
  const parts = new Set<string>();
  refs.forEach((ref, at) => {
    const parent = [ref.kind ?? "Gateway", ref.namespace ?? "", ref.name].join("/");
    const part = `${parent}#${ref.sectionName ?? ""}:${ref.port ?? ""}`;
    const whole = ref.sectionName === undefined && ref.port === undefined;
    const earlier = seen.get(parent);
    if (earlier !== undefined && (whole || !earlier || parts.has(part))) {
      problem(
        ctx,
        ["parentRefs", at],
        `names ${show(ref.name)} again; each reference then wants a sectionName or port of its own`,
      );
    }
    seen.set(parent, !whole);
    parts.add(part);
  });
}

export type ParentRef = z.infer<typeof parentRef>;
