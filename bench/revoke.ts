/**
 * Revocation, measured by a thief: he holds connections with a stolen certificate to every sidecar, and
 * knocks at every sidecar again and again while the command is given.
 */
import { meshService, startMesh, type TestMesh, until } from "../tests/support/mesh.ts";
import { Thief } from "../tests/support/thief.ts";
import { median } from "./figures.ts";

export interface RevokeResult {
  readonly bench: "revoke";
  readonly sidecars: number;
  /** Connections the thief holds to each. */
  readonly connections: number;
  readonly rounds: readonly RevokeRound[];
  readonly median: RevokeRound;
}

/** Milliseconds since the command was given (the API's call was made). */
export interface RevokeRound {
  /** Until the call was answered. */
  readonly answeredMs: number;
  /** Until the last of the thief's connections was closed. */
  readonly lastClosedMs: number;
  /** Until the last sidecar refused a new connection for the first time. */
  readonly allRefuseMs: number;
}

export async function revoke(
  options: { sidecars: number; connections: number; rounds: number },
): Promise<RevokeResult> {
  const keys = Array.from({ length: options.sidecars }, (_, at) => `app-${at}`);
  await using mesh = await startMesh({
    gateway: false,
    services: [{ name: "web" }, ...keys.map((key) => ({ name: "app", key }))],
    resources: [meshService("app")],
  });
  const state = `${mesh.folder}/proxies/web`;
  const rounds: RevokeRound[] = [];
  for (let n = 0; n < options.rounds; n++) {
    // After a round the sidecar that was robbed keeps its certificate again once it may connect.
    await until(() => Deno.stat(`${state}/identity.json`).catch(() => null), 20_000);
    using thief = await Thief.of(state);
    rounds.push(await round(mesh, thief, keys, options.connections));
  }
  const of = (name: keyof RevokeRound): number => median(rounds.map((one) => one[name]));
  return {
    bench: "revoke",
    sidecars: options.sidecars,
    connections: options.connections,
    rounds,
    median: {
      answeredMs: of("answeredMs"),
      lastClosedMs: of("lastClosedMs"),
      allRefuseMs: of("allRefuseMs"),
    },
  };
}

async function round(
  mesh: TestMesh,
  thief: Thief,
  keys: readonly string[],
  connections: number,
): Promise<RevokeRound> {
  const doors = keys.map((key) => mesh.inbound(key));
  for (const door of doors) {
    await Promise.all(Array.from({ length: connections }, () => thief.hold(door)));
  }
  const startMs = performance.now();
  const answered = mesh.client.post("/api/v1/revocations", { subject: "default/web" })
    .then(() => performance.now());
  const refusals = doors.map(async (door) => {
    while (await thief.isLetIn(door)) { /* knocks again */ }
    return performance.now();
  });
  const answeredMs = await answered - startMs;
  const allRefuseMs = Math.max(...await Promise.all(refusals)) - startMs;
  await thief.allClosed();
  const lastClosedMs = Math.max(...thief.held.map((one) => one.closedMs)) - startMs;
  await mesh.client.post("/api/v1/revocations/undo", { subject: "default/web" });
  await thief.isWelcome(doors);
  const whole = (ms: number): number => Math.round(ms * 10) / 10;
  return {
    answeredMs: whole(answeredMs),
    lastClosedMs: whole(lastClosedMs),
    allRefuseMs: whole(allRefuseMs),
  };
}
