/** History: what was changed when, by whom, and the difference of any two revisions. */
import { Hono } from "hono";
import type { ApiEnv } from "../auth.ts";
import { type ResourceChange, subject } from "../store/revision.ts";
import { LEDGER_LIMITS } from "../store/ledger.ts";
import type { ApiDeps } from "./deps.ts";
import { badValue, notFound } from "./errors.ts";

export function revisionRoutes({ ledger }: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get("/revisions", (c) => {
    const limit = numberOf("limit", c.req.query("limit") ?? String(LEDGER_LIMITS.recent));
    return c.json({ revisions: ledger.recent(limit) });
  });
  app.get("/revisions/:revision", async (c) => {
    const number = numberOf("revision", c.req.param("revision"));
    const record = await ledger.record(number);
    if (record === null) throw notFound(`revision ${number} (any more)`);
    return c.json({ ...record, changes: record.changes.map(changeBody) });
  });
  app.get("/diff", async (c) => {
    const to = numberOf("to", c.req.query("to") ?? String(ledger.head));
    const from = numberOf("from", c.req.query("from") ?? String(Math.max(0, to - 1)));
    const changes = await ledger.diff(from, to);
    if (changes === null) {
      throw notFound(`revision ${from} or ${to}; the newest is ${ledger.head}`);
    }
    return c.json({ from, to, changes: changes.map(changeBody) });
  });
  return app;
}

/** A change with both sides, for people who compare. */
function changeBody(change: ResourceChange) {
  const { kind, metadata: { namespace, name } } = subject(change);
  const { action, before, after } = change;
  return { action, kind, namespace, name, before, after };
}

function numberOf(name: string, text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw badValue(name, `is "${text}"; wanted a whole number`);
}
