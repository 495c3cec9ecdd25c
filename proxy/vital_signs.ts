/** Measures the own process for {@link Overload}: loop lag, heap and memory. */
import { getHeapStatistics } from "node:v8";
import { YOUNG_MIB } from "./launch.ts";
import { LOOK_MS, type Sample } from "./overload.ts";

/** The heap and the system are asked at every nth look: it costs some microseconds. */
const ASK_EVERY = 4;
const MIB = 1024 * 1024;

/** Calls `look` every {@link LOOK_MS} until the returned function is called. */
export function watchVitalSigns(
  look: (sample: Sample) => void,
  monotonicMs: () => number,
): () => void {
  let due = monotonicMs() + LOOK_MS;
  let nth = 0, heapPercent = 0, rssBytes = 0;
  const timer = setInterval(() => {
    const now = monotonicMs();
    const loopLagMs = Math.max(0, now - due);
    due = now + LOOK_MS;
    if (nth++ % ASK_EVERY === 0) {
      const heap = getHeapStatistics();
      heapPercent = (heap.used_heap_size / (heap.heap_size_limit - YOUNG_MIB * MIB)) * 100;
      rssBytes = Deno.memoryUsage().rss;
    }
    look({ loopLagMs, heapPercent, rssBytes });
  }, LOOK_MS);
  return () => clearInterval(timer);
}
