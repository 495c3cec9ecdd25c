/** A rotation as people read it: where it is, whom it waits for, and what to do. */
import type { RotationStatus } from "../control/ca/rotation.ts";
import { span, table } from "./output.ts";

export function rotationText(rotation: RotationStatus | null, nowMs: number): string {
  if (rotation === null) return "There was no rotation yet. Begin one with: denim ca rotate --help";
  const { kind, compromised, step, over, waiting, waitingCount, proxies } = rotation;
  const lines = [
    `Rotation   of the ${kind}${compromised ? ", which is compromised" : ""}, begun ${
      span(nowMs - rotation.startedMs)
    } ago by ${rotation.author}`,
    `Step       ${step}, since ${span(nowMs - rotation.sinceMs)}`,
  ];
  if (!over) {
    lines.push(
      `Waits for  ${waitingCount} of ${proxies} live proxies`,
      `Way back   ${rotation.abortable ? "denim ca abort" : "none any more"}`,
    );
  }
  if (rotation.problem !== "") lines.push(`Problem    ${rotation.problem}`);
  lines.push(`What to do ${rotation.hint}`);
  if (waiting.length > 0) {
    const rows = waiting.map((
      one,
    ) => [one.name, one.connected ? "connected" : "away", one.why, one.id]);
    lines.push("", table(["PROXY", "STATE", "WHY", "ID"], rows));
    if (waitingCount > waiting.length) lines.push(`and ${waitingCount - waiting.length} more`);
  }
  return lines.join("\n");
}
