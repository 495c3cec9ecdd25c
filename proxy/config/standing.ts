/** Filters every chain begins with: what a hop must say of itself and must not let through. */
import { CONTINUE, type Filter, type FilterContext, type Verdict } from "../../core/filter.ts";
import { PORT_FIELD, type RequestHead } from "../../core/message.ts";
import type { Random } from "../../core/clock.ts";

/** Fields only a proxy may set; whoever else sends them is not believed. */
const CLAIMED = ["x-denim-peer", PORT_FIELD, "x-forwarded-client-cert"] as const;
/** Fields an edge takes from nobody outside the mesh. */
const EDGE_CLAIMED = [
  ...CLAIMED,
  "x-forwarded-for",
  "x-forwarded-host",
  "x-real-ip",
  "forwarded",
] as const;

/** Inbound: the workload learns the verified identity of its caller. */
class InboundIdentity implements Filter {
  onRequestHead(ctx: FilterContext, head: RequestHead): Verdict {
    strip(head, CLAIMED);
    if (ctx.peer !== "") head.fields.append("x-denim-peer", ctx.peer);
    return CONTINUE;
  }
}

/** Outbound: the own workload may not pose as another. */
class OutboundIdentity implements Filter {
  onRequestHead(_ctx: FilterContext, head: RequestHead): Verdict {
    strip(head, CLAIMED);
    return CONTINUE;
  }
}

/** Edge: says where the client came from, and gives every request an id to be found by. */
class EdgeIdentity implements Filter {
  readonly #random: Random;
  constructor(random: Random) {
    this.#random = random;
  }
  onRequestHead(ctx: FilterContext, head: RequestHead): Verdict {
    strip(head, EDGE_CLAIMED);
    const { fields } = head;
    fields.append("x-forwarded-for", withoutPort(ctx.remote));
    fields.append("x-forwarded-host", head.authority);
    fields.set("x-forwarded-proto", head.scheme);
    if (!fields.has("x-request-id")) fields.append("x-request-id", requestId(this.#random));
    return CONTINUE;
  }
}

/** The standing filters of a listener role. */
export function standingFilters(
  role: "inbound" | "outbound" | "gateway",
  random: Random,
): Filter[] {
  if (role === "inbound") return [new InboundIdentity()];
  if (role === "outbound") return [new OutboundIdentity()];
  return [new EdgeIdentity(random)];
}

function strip(head: RequestHead, names: readonly string[]): void {
  const { lines } = head.fields;
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!;
    // All of them start with x- or f: one look at the first byte spares most fields the search.
    const first = name.charCodeAt(0);
    if ((first === 0x78 || first === 0x66) && names.includes(name)) {
      head.fields.remove(name);
      i -= 2;
    }
  }
}

function withoutPort(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(":"));
}

/** 128 random bits as hex; not a secret. */
function requestId(random: Random): string {
  let id = "";
  for (let i = 0; i < 4; i++) {
    id += Math.floor(random() * 0x100000000).toString(16).padStart(8, "0");
  }
  return id;
}
