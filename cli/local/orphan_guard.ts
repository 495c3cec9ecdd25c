/**
 * Ends a process when the one that started it is gone, even by `kill -9`: loaded by `--preload` before a
 * child's own main module. The parent holds the other end of standard input and never writes to it, so
 * the end of that pipe means that the parent ended; no polling, no permission, and the child's own code
 * need not know.
 */

/** Tells "my parent vanished" (sysexits: EX_TEMPFAIL) from a fault of the program. */
const EXIT_ORPHANED = 75;

async function watch(): Promise<never> {
  const sink = new Uint8Array(64);
  for (;;) {
    const read = await Deno.stdin.read(sink).catch(() => null);
    if (read === null) Deno.exit(EXIT_ORPHANED);
  }
}

// A preload is awaited with everything it began, so the read may begin only when the main module runs:
// an unreferenced timer does not hold the preload up and fires afterwards.
Deno.unrefTimer(setTimeout(watch, 1));
