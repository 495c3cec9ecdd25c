/** A proxy's engine in the test's own process, on the loopback. */
import { systemClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { Metrics } from "../../core/metrics.ts";
import { Engine, type EngineOptions } from "../../proxy/engine.ts";

export function testEngine(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    metrics: new Metrics(),
    factories: new Map(),
    listenAddress: "127.0.0.1",
    accessLog: null,
    ...options,
  });
}
