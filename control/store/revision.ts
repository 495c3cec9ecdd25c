/** A revision: what one apply changed, whole; and the arithmetic of going from one state to another. */
import { canonicalJson } from "../snapshot/hash.ts";
import { type Resource, resourceId } from "../schema/kinds.ts";
import type { ChangeAction, RevisionView } from "../view.ts";

/** One resource's change. Both sides are kept, so that a revision can be shown and undone by itself. */
export interface ResourceChange {
  readonly action: ChangeAction;
  readonly before: Resource | null;
  readonly after: Resource | null;
}

export interface Revision {
  readonly revision: number;
  /** The revision it was made upon. */
  readonly parent: number;
  readonly author: string;
  readonly message: string;
  readonly createdMs: number;
  readonly changes: readonly ResourceChange[];
}

/** What somebody wants: a resource to be as given, or to be gone. */
export type Edit =
  | { readonly put: Resource }
  | { readonly remove: ResourceRef };

export interface ResourceRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Resources by {@link resourceId}. */
export type State = ReadonlyMap<string, Resource>;

/** The resource a change is about. */
export function subject(change: ResourceChange): Resource {
  return (change.after ?? change.before)!;
}

export function refId({ kind, namespace, name }: ResourceRef): string {
  return resourceId({ kind, metadata: { namespace, name } });
}

/** A revision without the resources themselves: what lists show and memory holds. */
export function summary(record: Revision): RevisionView {
  const { changes, ...rest } = record;
  return {
    ...rest,
    changes: changes.map((change) => {
      const { kind, metadata: { namespace, name } } = subject(change);
      return { action: change.action, kind, namespace, name };
    }),
  };
}

/** The changes that edits come to; one that changes nothing is left out. */
export function plan(state: State, edits: readonly Edit[], nowMs: number): ResourceChange[] {
  const changes: ResourceChange[] = [];
  for (const edit of edits) {
    if ("remove" in edit) {
      const before = state.get(refId(edit.remove));
      if (before !== undefined) changes.push({ action: "deleted", before, after: null });
      continue;
    }
    const before = state.get(resourceId(edit.put)) ?? null;
    if (before !== null && isSame(before, edit.put)) continue;
    const after = stamped(edit.put, before, nowMs);
    changes.push({ action: before === null ? "created" : "updated", before, after });
  }
  return changes;
}

/** The state after the changes. */
export function fold(state: State, changes: readonly ResourceChange[]): Map<string, Resource> {
  const next = new Map(state);
  for (const { before, after } of changes) {
    if (after !== null) next.set(resourceId(after), after);
    else if (before !== null) next.delete(resourceId(before));
  }
  return next;
}

/** The state before the changes. */
export function unfold(state: State, changes: readonly ResourceChange[]): Map<string, Resource> {
  return fold(
    state,
    changes.map(({ action, before, after }) => ({ action, before: after, after: before })),
  );
}

/** What makes `to` out of `from`, by kind and name. */
export function difference(from: State, to: State): ResourceChange[] {
  const changes: ResourceChange[] = [];
  for (const id of [...new Set([...from.keys(), ...to.keys()])].sort()) {
    const before = from.get(id) ?? null, after = to.get(id) ?? null;
    if (before !== null && after !== null) {
      if (!isSame(before, after)) changes.push({ action: "updated", before, after });
    } else changes.push({ action: before === null ? "created" : "deleted", before, after });
  }
  return changes;
}

/** Edits that make `to` out of `from`. */
export function edits(from: State, to: State): Edit[] {
  return difference(from, to).map(({ before, after }) => {
    if (after !== null) return { put: after };
    const { kind, metadata } = before!;
    return { remove: { kind, namespace: metadata.namespace, name: metadata.name } };
  });
}

/** Equal but for what the store itself writes into a resource. */
function isSame(a: Resource, b: Resource): boolean {
  return canonicalJson(bare(a)) === canonicalJson(bare(b));
}

function bare({ metadata, ...rest }: Resource): unknown {
  const { creationTimestamp: _created, generation: _generation, ...own } = metadata;
  return { ...rest, metadata: own };
}

/** With its age, which orders routes of equal precedence, and a generation that counts its specs. */
function stamped(resource: Resource, before: Resource | null, nowMs: number): Resource {
  const sameSpec = before !== null &&
    canonicalJson(contentOf(before)) === canonicalJson(contentOf(resource));
  const past = before?.metadata.generation ?? 0;
  return {
    ...resource,
    metadata: {
      ...resource.metadata,
      creationTimestamp: before?.metadata.creationTimestamp ??
        resource.metadata.creationTimestamp ?? isoSeconds(nowMs),
      generation: sameSpec ? past : past + 1,
    },
  } as Resource;
}

/** What a generation counts: the spec, or a Secret's data. */
function contentOf(resource: Resource): unknown {
  return "spec" in resource ? resource.spec : resource.data;
}

/** As Kubernetes writes times: no fraction. */
function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+/, "");
}
