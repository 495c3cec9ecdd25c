/**
 * Ends a process when the one that started it is gone, even by `kill -9`: loaded by
 * `--preload=orphan_guard.ts?parent=PID` before a child's own main module, which need not know. A process
 * whose parent ended gets another one; looking for that needs no permission and cannot hold anything up.
 */

/** Tells "my parent vanished" (sysexits: EX_TEMPFAIL) from a fault of the program. */
const EXIT_ORPHANED = 75;
const LOOK_MS = 250;

const parent = Number(new URL(import.meta.url).searchParams.get("parent"));

function look(): void {
  if (Deno.ppid !== parent) Deno.exit(EXIT_ORPHANED);
}

// Unreferenced: a preload is awaited with everything it began, and the program may end by itself.
Deno.unrefTimer(setInterval(look, LOOK_MS));
