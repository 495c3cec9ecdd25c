/** Changing the mesh: apply, delete, rollback. Each is checked whole and becomes one revision or nothing. */
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Principal } from "../access/roles.ts";
import type { ApiEnv } from "../auth.ts";
import { findKind, ofKind, type Resource, resourceId } from "../schema/kinds.ts";
import { parseDocuments } from "../schema/parse.ts";
import { keyOf } from "../schema/secret.ts";
import { checkReferences, type ReferenceProblem } from "../snapshot/mod.ts";
import { type Committed, type Ledger, LEDGER_LIMITS } from "../store/ledger.ts";
import type { Edit, State } from "../store/revision.ts";
import { refId, subject } from "../store/revision.ts";
import type { ChangeView } from "../view.ts";
import { admittedModules } from "../push/publisher.ts";
import { BODY_LIMITS, readBytes, readJson } from "./body.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError, type ErrorDetail, notFound } from "./errors.ts";

const message = z.string().max(LEDGER_LIMITS.messageChars).optional();
/**
 * Who says so. Believed of the first admin token only, which several people may hold; other callers have
 * a name of their own, and the history shows that.
 */
export const author = z.string().max(LEDGER_LIMITS.authorChars).optional();

export const applyBody = z.strictObject({
  /** YAML or JSON text, several documents in one. */
  documents: z.string().optional(),
  /** The same as plain values. */
  resources: z.array(z.unknown()).optional(),
  message,
  author,
  dryRun: z.boolean().optional(),
}).refine(
  (body) => (body.documents === undefined) !== (body.resources === undefined),
  { error: "wants either documents or resources" },
);

export const rollbackBody = z.strictObject({
  revision: z.int().nonnegative(),
  message,
  author,
  dryRun: z.boolean().optional(),
});

/** What a change answers. */
export interface Applied {
  readonly revision: number;
  readonly dryRun: boolean;
  readonly changes: readonly ChangeView[];
  /** Routes of others that lost a permission by this; they are not accepted any more. */
  readonly unaccepted: readonly ErrorDetail[];
}

export function applyRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();

  app.post("/apply", async (c) => {
    const body = await readApply(c);
    const { resources, errors, keys } = parseDocuments(body.documents ?? body.resources ?? []);
    if (errors.length > 0) throw invalid(errors);
    await checkKeys(deps, resources, keys);
    if (resources.length === 0) {
      throw new ApiError(400, "empty", "There is no resource in what was sent");
    }
    const edits = resources.map((one): Edit => ({ put: asGiven(one) }));
    // Before the revision, so that no proxy hears of a key that is not there yet.
    if (body.dryRun !== true) await deps.vault.put(keys, () => namedKeys(deps.ledger));
    return answer(c, body, await commit(deps, { ...body, by: c.var.principal }, () => edits));
  });

  app.delete("/resources/:kind/:namespace/:name", async (c) => {
    const { kind: noun, namespace, name } = c.req.param();
    const kind = findKind(noun)?.kind;
    if (kind === undefined) throw notFound(`kind "${noun}"`);
    const ref = { kind, namespace, name };
    const by = c.var.principal;
    const why = { message: c.req.query("message"), author: c.req.query("author"), by };
    return answer(
      c,
      {},
      await commit(deps, { ...why, fallback: `Delete ${refId(ref)}` }, (state) => {
        if (!state.has(refId(ref))) throw notFound(`${kind} "${namespace}/${name}"`);
        return [{ remove: ref }];
      }),
    );
  });

  app.post("/rollback", async (c) => {
    const body = await readJson(c, rollbackBody, BODY_LIMITS.jsonBytes);
    const { revision } = body;
    const fallback = `Rollback to revision ${revision}`;
    return answer(
      c,
      body,
      await commit(deps, { ...body, by: c.var.principal, fallback }, async () => {
        const edits = await deps.ledger.editsTo(revision);
        if (edits === null) throw notFound(`revision ${revision} to go back to`);
        return edits;
      }),
    );
  });
  return app;
}

/** JSON as described, or the YAML itself: `curl --data-binary @mesh.yaml -H 'content-type: application/yaml'`. */
async function readApply(c: Context): Promise<z.infer<typeof applyBody>> {
  const type = (c.req.header("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
  if (type === "" || type === "application/json") {
    return await readJson(c, applyBody, BODY_LIMITS.applyBytes);
  }
  if (!["application/yaml", "application/x-yaml", "text/yaml"].includes(type)) {
    throw new ApiError(
      415,
      "bad_type",
      `Content-Type is "${type}"; wanted application/json or application/yaml`,
    );
  }
  const documents = new TextDecoder().decode(await readBytes(c, BODY_LIMITS.applyBytes));
  return { documents, message: c.req.query("message"), dryRun: c.req.query("dryRun") === "true" };
}

interface Outcome extends Committed {
  readonly unaccepted: readonly ReferenceProblem[];
}

interface Why {
  readonly by?: Principal;
  readonly message?: string | undefined;
  readonly author?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly fallback?: string;
}

async function commit(
  deps: ApiDeps,
  why: Why,
  edits: (state: State) => readonly Edit[] | Promise<readonly Edit[]>,
): Promise<Outcome> {
  const { ledger, log } = deps;
  let unaccepted: readonly ReferenceProblem[] = [];
  const author = authorOf(why).slice(0, LEDGER_LIMITS.authorChars);
  const message = (why.message ?? why.fallback ?? "").slice(0, LEDGER_LIMITS.messageChars);
  const made = await ledger.commit({
    edits,
    author,
    message,
    check: (next) => {
      unaccepted = checkNext(deps, ledger, next);
    },
    dryRun: why.dryRun === true,
  });
  if (why.dryRun !== true && made.changes.length > 0) {
    log.info("revision.made", { revision: made.revision, author, changes: made.changes.length });
  }
  return { ...made, unaccepted };
}

export function authorOf({ by, author }: Pick<Why, "by" | "author">): string {
  return by === undefined || by.proof === "admin-token" ? author ?? "admin" : by.name;
}

/** A Secret that was read out names its key and does not hold it; then the vault must. */
async function checkKeys(
  { vault }: ApiDeps,
  resources: readonly Resource[],
  keys: ReadonlyMap<string, string>,
): Promise<void> {
  const missing: ReferenceProblem[] = [];
  for (const secret of ofKind(resources, "Secret")) {
    const name = keyOf(secret);
    if (keys.has(name) || await vault.has(name)) continue;
    missing.push({
      resource: resourceId(secret),
      path: 'data["tls.key"]',
      message: "is the name of a key that is not kept here, wanted the key itself",
    });
  }
  if (missing.length > 0) throw invalid(missing);
}

/** Keys of every Secret that is there or could come back. */
async function namedKeys(ledger: Ledger): Promise<ReadonlySet<string>> {
  const names = new Set(ofKind(ledger.resources(), "Secret").map(keyOf));
  for (let n = ledger.head; n > 0; n--) {
    const record = await ledger.record(n);
    if (record === null) break; // older ones are gone too
    for (const { before, after } of record.changes) {
      for (const one of [before, after]) if (one?.kind === "Secret") names.add(keyOf(one));
    }
  }
  return names;
}

/**
 * Refuses a state with problems that are not there already: a mended mesh is mended step by step. Whoever
 * takes back what he permitted (a listener's allowedRoutes, a ReferenceGrant) is not held up by those who
 * made use of it: their routes, which he did not touch, are given back as no longer accepted.
 */
function checkNext(deps: ApiDeps, ledger: Ledger, next: readonly Resource[]): ReferenceProblem[] {
  const modules = admittedModules(deps.market);
  const problems = checkReferences(next, modules);
  if (problems.length === 0) return [];
  const old = new Set(checkReferences(ledger.resources(), modules).map(problemKey));
  const added = problems.filter((one) => !old.has(problemKey(one)));
  const untouched = new Set(
    next.filter((one) => ledger.state.get(resourceId(one)) === one).map(resourceId),
  );
  const lost = (one: ReferenceProblem): boolean =>
    one.reason !== undefined && PERMISSIONS.has(one.reason) && untouched.has(one.resource);
  const refused = added.filter((one) => !lost(one));
  if (refused.length > 0) throw invalid(refused);
  return added;
}

/** Reasons that say somebody else does not permit it. */
const PERMISSIONS: ReadonlySet<NonNullable<ReferenceProblem["reason"]>> = new Set([
  "NotAllowedByListeners",
  "NoMatchingListenerHostname",
  "RefNotPermitted",
]);

function problemKey({ resource, path, message }: ReferenceProblem): string {
  return JSON.stringify([resource, path, message]);
}

function invalid(details: readonly ErrorDetail[]): ApiError {
  const [first] = details;
  const where = [first?.resource, first?.path].filter((part) => part !== undefined && part !== "");
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : "";
  const what = `${where.join(" ")} ${first?.message}${more}`.trim();
  return new ApiError(422, "invalid", `Nothing was applied: ${what}`, details);
}

/** Age and generation are the store's to say, whatever a document claims. */
function asGiven(resource: Resource): Resource {
  const { creationTimestamp: _created, generation: _generation, ...metadata } = resource.metadata;
  return { ...resource, metadata } as Resource;
}

/** Names shown of the resources that one change touched. */
const MAX_NAMES = 8;

/** `revision 7: Service default/web updated`, for the audit log. */
function targetOf({ revision, dryRun, changes }: Applied): string {
  const names = changes.slice(0, MAX_NAMES)
    .map(({ action, kind, namespace, name }) => `${kind} ${namespace}/${name} ${action}`);
  if (changes.length > MAX_NAMES) names.push(`${changes.length - MAX_NAMES} more`);
  const what = names.length === 0 ? "nothing to change" : names.join(", ");
  return `${dryRun ? "dry run on " : ""}revision ${revision}: ${what}`;
}

function answer(c: Context<ApiEnv>, { dryRun }: Why, outcome: Outcome): Response {
  const { revision, changes, unaccepted } = outcome;
  const applied: Applied = {
    revision,
    dryRun: dryRun === true,
    changes: changes.map((change) => {
      const { kind, metadata: { namespace, name } } = subject(change);
      return { action: change.action, kind, namespace, name };
    }),
    unaccepted,
  };
  c.set("target", targetOf(applied));
  return c.json(applied);
}
