/** Tells of changes to a filter's files, one burst at a time. */
import { relative } from "node:path";

/** Editors write a file in several steps. */
const QUIET_MS = 80;
/** What builds write, and nobody edits. */
const IGNORED = /(?:^|\/)(?:target|node_modules|\.denim|\.git)(?:\/|$)|~$|\.tmp$|\.swp$/;

/** Calls `changed` after every burst of changes below `dir`, until `signal` ends it. */
export async function watchFolder(
  dir: string,
  signal: AbortSignal,
  changed: () => Promise<void>,
): Promise<void> {
  const root = await Deno.realPath(dir);
  using watcher = Deno.watchFs(root);
  signal.addEventListener("abort", () => watcher.close(), { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = Promise.resolve();
  for await (const { kind, paths } of watcher) {
    if (kind === "access" || paths.every((path) => IGNORED.test(relative(root, path)))) continue;
    clearTimeout(timer);
    timer = setTimeout(() => running = running.then(changed), QUIET_MS);
  }
  clearTimeout(timer);
  await running;
}
