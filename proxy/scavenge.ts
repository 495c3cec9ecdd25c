/**
 * Keeps memory flat while bodies stream. Every read from a socket is a fresh buffer outside the heap,
 * freed when its small handle is collected; the collector's pace is set by the heap, so at hundreds of
 * megabytes a second dead buffers pile up. A scavenge every few megabytes costs about 0.5 ms and holds
 * a stream of any length to some tens of megabytes; `bench stream` shows it.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes read between two scavenges. */
export const SCAVENGE_EVERY_BYTES = 8 * 1024 * 1024;

type Collect = (options: { type: "minor" }) => void;

let collect: Collect | null = null;
let passed = 0;

/** Once per process. Without it, or where the runtime refuses, nothing changes but the peak of memory. */
export function enableScavenging(): void {
  try {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as Collect;
  } catch {
    collect = null;
  }
}

/** Counts bytes read. */
export function read(bytes: number): void {
  passed += bytes;
  if (passed < SCAVENGE_EVERY_BYTES) return;
  passed = 0;
  if (collect !== null) collect({ type: "minor" });
}
