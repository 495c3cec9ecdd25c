/** Changes as the verbs that make and show them print them. */

export interface Change {
  readonly action: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface Applied {
  readonly revision: number;
  readonly dryRun: boolean;
  readonly changes: readonly Change[];
  /** Routes of others that lost a permission by this. */
  readonly unaccepted?: readonly { resource?: string; path: string; message: string }[];
}

/** `HTTPRoute default/web created`. */
export function changeLine({ action, kind, namespace, name }: Change): string {
  return `${kind} ${namespace}/${name} ${action}`;
}

/** What an apply, a delete or a rollback came to. */
export function appliedText({ revision, dryRun, changes, unaccepted = [] }: Applied): string {
  if (changes.length === 0) return `Nothing to change; revision ${revision} stays`;
  const lines = changes.map(changeLine);
  for (const { resource, path, message } of unaccepted) {
    lines.push(`Not accepted any more: ${resource} ${path} ${message}`);
  }
  lines.push(dryRun ? "Nothing was changed (dry run)" : `Revision ${revision}`);
  return lines.join("\n");
}

/** The name of who is at the keyboard, for the history. */
export function author(): string | undefined {
  // Reading the environment may be forbidden; the history then says "admin".
  try {
    return Deno.env.get("USER") ?? Deno.env.get("LOGNAME");
  } catch {
    return undefined;
  }
}
