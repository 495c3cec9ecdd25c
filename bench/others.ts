/** How much of the machine programs outside the bench took: a measurement on a busy machine says little. */
import { round2 } from "./figures.ts";

const TICKS_PER_SECOND = 100;

export interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  /** User and system time of its own and of its children that ended, in ticks. */
  readonly ticks: number;
}

/** Starts watching; the function returned gives the share of one core that others took since, in percent. */
export function watchOthers(): () => number {
  const startedMs = performance.now(), before = othersTicks();
  return () => {
    const seconds = (performance.now() - startedMs) / 1000;
    const used = Math.max(0, othersTicks() - before) / TICKS_PER_SECOND;
    return round2(used * 100 / seconds);
  };
}

/** Busy time of all cores without that of this process and all below it. */
function othersTicks(): number {
  const own = ticksBelow(Deno.pid, [...processes()]);
  return busyTicks(Deno.readTextFileSync("/proc/stat")) - own;
}

/** All of /proc/stat but idle and waiting; a process's own times hold the interrupts that came during them. */
export function busyTicks(stat: string): number {
  const columns = /^cpu +(.*)$/m.exec(stat)![1]!.split(" ").map(Number);
  const [user, nice, system, , , irq, softirq, steal] = columns;
  return user! + nice! + system! + irq! + softirq! + steal!;
}

/** Time of a process and of all its descendants. */
export function ticksBelow(root: number, all: readonly ProcessTimes[]): number {
  const byParent = Map.groupBy(all, (one) => one.parent);
  const sum = (one: ProcessTimes): number =>
    (byParent.get(one.pid) ?? []).reduce((total, child) => total + sum(child), one.ticks);
  const own = all.find((one) => one.pid === root);
  return own === undefined ? 0 : sum(own);
}

function* processes(): Iterable<ProcessTimes> {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      yield parseStat(Deno.readTextFileSync(`/proc/${name}/stat`));
    } catch {
      // It ended in the meantime.
    }
  }
}

export function parseStat(stat: string): ProcessTimes {
  // The name in parentheses may hold spaces; fields are counted after it. 4 is the parent, 14 to 17 are times.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  return {
    pid: Number.parseInt(stat),
    parent: fields[1]!,
    ticks: fields[11]! + fields[12]! + fields[13]! + fields[14]!,
  };
}
