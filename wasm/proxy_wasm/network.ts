/**
 * A plugin as a filter for connections: on_new_connection before there is an upstream, then the bytes of
 * either direction, which pile up while the guest holds them, as bodies do.
 */
import {
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterPlace,
  PAUSE,
  type Verdict,
} from "../../core/filter.ts";
import type { RequestHead } from "../../core/message.ts";
import { ACTION_CONTINUE } from "./abi.ts";
import type { Streams } from "./filter.ts";
import { CALLBACKS } from "./guest.ts";
import { Side, type SideCallbacks } from "./side.ts";

const CONNECTION: SideCallbacks = {
  headers: ["onNewConnection", "onNewConnection"],
  body: ["onDownstreamData", "onUpstreamData"],
  trailers: ["onDownstreamData", "onUpstreamData"],
};

/** On a route for HTTP it has no hooks: there is nothing for it to see. */
export function createNetworkFilter(
  streams: Streams,
  place: FilterPlace | undefined,
  closed: () => void,
): Filter {
  if (place !== undefined && !place.tunnel) return { close: closed };
  const up = new Side(0, streams, CONNECTION), down = new Side(1, streams, CONNECTION);
  const { exports } = streams.plugin.compiled;
  const filter: { -readonly [K in keyof Filter]: Filter[K] } = {
    onRequestHead: (ctx: FilterContext, _head: RequestHead): Verdict => opened(streams, ctx),
    onEnd: (ctx: FilterContext): void => streams.end(ctx),
    close: closed,
  };
  if (exports.has(CALLBACKS.onDownstreamData)) {
    filter.onTunnelUp = (ctx: FilterContext, bytes: Uint8Array, end: boolean) =>
      up.data(ctx, bytes, end);
  }
  if (exports.has(CALLBACKS.onUpstreamData)) {
    filter.onTunnelDown = (ctx: FilterContext, bytes: Uint8Array, end: boolean) =>
      down.data(ctx, bytes, end);
  }
  return filter;
}

function opened(streams: Streams, ctx: FilterContext): Verdict {
  const stream = streams.of(ctx);
  if (typeof stream === "number") return stream;
  const { vm, request, response } = stream;
  // No length was promised, and none is kept to.
  request.declared = response.declared = -1;
  request.continued = false;
  const action = vm.enter(vm.guest.onNewConnection, stream, ACTION_CONTINUE, stream.id, 0, 0);
  const verdict = streams.after(ctx, stream);
  if (verdict !== CONTINUE) return verdict;
  if (stream.skip || action === ACTION_CONTINUE || request.continued) return CONTINUE;
  request.paused = true;
  return PAUSE;
}
