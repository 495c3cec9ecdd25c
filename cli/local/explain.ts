/** Troubles with files and ports as sentences that say what to do. */

/** A sentence for people that says what is wrong and what to do; the command ends with it. */
export class LocalError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "LocalError";
  }
}

/** Runs `act`; a missing permission or a file in the way becomes such a sentence about `path`. */
export function explained<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (problem) {
    throw explain(path, problem);
  }
}

function explain(path: string, problem: unknown): unknown {
  const detail = problem instanceof Error ? problem.message : String(problem);
  if (problem instanceof Deno.errors.NotCapable) {
    return new LocalError(
      `Deno was not allowed to use ${path}. Start with: deno task run, or add -A (${detail})`,
    );
  }
  // A read-only file system has no error class of its own.
  if (problem instanceof Deno.errors.PermissionDenied || /os error 30\b/.test(detail)) {
    return new LocalError(
      `This user may not write ${path}. Make it writable (chown -R "$USER" ${path}), ` +
        `or choose another folder with --dir`,
    );
  }
  if (
    problem instanceof Deno.errors.AlreadyExists || problem instanceof Deno.errors.NotADirectory
  ) {
    return new LocalError(`${path} should be a folder. Move it away, or choose another with --dir`);
  }
  return problem;
}
