import { choosePorts } from "../../cli/local/ports.ts";

/** A port of the loopback that was free just now, for what cannot choose one itself. */
export function freePort(): number {
  return choosePorts(["port"], {})["port"]!;
}
