/**
 * The programs between a person and `denim run`: npx, a shell, `deno task`. A signal sent to the first of
 * them ends it alone and leaves the mesh running where nobody sees it; so its end is noticed here.
 */

/** Command lines of programs that only start another one. A person's own shell is none of them. */
const LAUNCHER =
  /(?:^|[\/ ])(?:npm|npx|npm exec|yarn|pnpm|bunx?)(?: |$)|^(?:\S*\/)?(?:ba|da)?sh -c |deno\S* task(?: |$)/;
/** Longer chains are not launchers. */
const MAX_LAUNCHERS = 8;

/** Launchers of this process, nearest first; only Linux tells more than the nearest. */
export function launchers(pid: number = Deno.pid): number[] {
  const chain: number[] = [];
  let at = parentOf(pid);
  while (at > 1 && chain.length < MAX_LAUNCHERS && isLauncher(commandOf(at))) {
    chain.push(at);
    at = parentOf(at);
  }
  return chain;
}

export function isLauncher(command: string): boolean {
  return LAUNCHER.test(command);
}

/** Whether one of them has ended, by what `/proc` says now. */
export function anyEnded(chain: readonly number[]): boolean {
  return chain.some((pid) => !isLauncher(commandOf(pid)));
}

/** Empty when there is no such process, and for a zombie. */
function commandOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

function parentOf(pid: number): number {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0;
  }
}
