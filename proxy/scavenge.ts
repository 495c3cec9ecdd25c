/**
 * Keeps memory flat while bodies stream. Arrays outside the heap are freed when their small handles are
 * collected; the collector's pace is set by the heap, so at hundreds of megabytes a second dead arrays pile
 * up. A scavenge every few megabytes costs about 0.1 ms and holds a stream of any length to some tens of
 * megabytes; `bench stream` shows it.
 *
 * Only the function that V8 itself offers under --expose-gc (launch.ts) can scavenge. The one a new `node:vm`
 * context has runs two whole collections instead, 5 to 20 ms each time: under a large download every
 * other request would wait for them.
 */

/** Bytes of arrays made between two scavenges. */
export const SCAVENGE_EVERY_BYTES = 8 * 1024 * 1024;

type Collect = (options: { type: "minor" }) => void;

let collect: Collect | null = null;
let passed = 0;

/** Once per process. Without the flag nothing changes but the peak of memory. */
export function enableScavenging(): void {
  const { gc } = globalThis as { gc?: Collect };
  collect = typeof gc === "function" ? gc : null;
}

/** An array of so many bytes was made outside the heap, which will not live long. */
export function allocated(bytes: number): void {
  passed += bytes;
  if (passed < SCAVENGE_EVERY_BYTES) return;
  passed = 0;
  if (collect !== null) collect({ type: "minor" });
}
