/** Revocation: who is no longer let in, said by whom and why. */
import { Hono } from "hono";
import { z } from "zod";
import { controlPlaneId, MAX_LEAF_TTL_MS, plainSerial, type Revocation } from "../ca/mod.ts";
import { LEDGER_LIMITS } from "../store/ledger.ts";
import type { ApiEnv } from "../auth.ts";
import { author, authorOf } from "./apply.ts";
import { BODY_LIMITS, readJson } from "./body.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError, notFound } from "./errors.ts";
import { workloadId } from "./identities.ts";

export const revokeBody = z.strictObject({
  /** `namespace/name`, a whole SPIFFE id, or the serial of a certificate in hexadecimal. */
  subject: z.string().max(400),
  reason: z.string().max(LEDGER_LIMITS.messageChars).optional(),
  author,
  /** For a serial that the issuance log does not know: how long its certificate may still live. */
  expiresInMs: z.int().positive().max(MAX_LEAF_TTL_MS).optional(),
});

export const unrevokeBody = z.strictObject({ subject: z.string().max(400), author });

export function revocationRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { revocations, publisher } = deps;
  const app = new Hono<ApiEnv>();
  app.get("/revocations", (c) => c.json({ revocations: revocations.all() }));

  app.post("/revocations", async (c) => {
    const body = await readJson(c, revokeBody, BODY_LIMITS.jsonBytes);
    const meant = await whatIsMeant(deps, body);
    c.set("target", `${meant.subject} revoked`);
    const revocation: Revocation = {
      ...meant,
      reason: body.reason ?? "",
      author: authorOf({ by: c.var.principal, author: body.author }),
      createdMs: deps.clock.nowMs(),
    };
    const isNew = await revocations.add(revocation);
    publisher.publish(); // seconds count: not even the debounce is waited for
    return c.json({ revocation, isNew }, isNew ? 201 : 200);
  });

  app.post("/revocations/undo", async (c) => {
    const body = await readJson(c, unrevokeBody, BODY_LIMITS.jsonBytes);
    const subject = subjectOf(deps, body.subject);
    c.set("target", `${subject} not revoked any more`);
    const by = authorOf({ by: c.var.principal, author: body.author });
    if (!await revocations.undo(subject, by)) {
      throw notFound(`revocation of "${subject}"`);
    }
    publisher.publish();
    return c.json({ subject });
  });
  return app;
}

async function whatIsMeant(
  deps: ApiDeps,
  { subject: text, expiresInMs }: z.infer<typeof revokeBody>,
): Promise<Pick<Revocation, "kind" | "subject" | "expiresMs">> {
  const { authority, clock } = deps;
  const { trustDomain } = authority;
  const subject = subjectOf(deps, text);
  if (subject.startsWith("spiffe:")) {
    if (subject === controlPlaneId(trustDomain)) throw controlPlanes();
    return { kind: "identity", subject, expiresMs: null };
  }
  const found = await authority.issued(subject);
  // Without it no proxy could connect any more, not even to hear that it was a mistake.
  if (found?.identity === controlPlaneId(trustDomain)) throw controlPlanes();
  if (found !== null) return { kind: "serial", subject, expiresMs: Date.parse(found.notAfter) };
  if (expiresInMs !== undefined) {
    return { kind: "serial", subject, expiresMs: clock.nowMs() + expiresInMs };
  }
  throw new ApiError(
    404,
    "unknown_serial",
    `No certificate with serial ${subject} is in the issuance log. Compare it with the ` +
      "certificate; if the log no longer goes back to it, say how long it may live with --expires",
  );
}

function controlPlanes(): ApiError {
  return new ApiError(
    403,
    "reserved",
    "This is the control plane's own, without which no proxy could be told anything. If its key was " +
      "stolen, replace the intermediate: denim ca rotate --intermediate --compromised",
  );
}

/** What stands in the list for what somebody typed; serials are often copied with colons or in lower case. */
function subjectOf({ authority: { trustDomain } }: ApiDeps, text: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text;
  const serial = plainSerial(text);
  if (/^[0-9A-F]{1,40}$/.test(serial)) return serial;
  return workloadId(
    "subject",
    text,
    trustDomain,
    ', or the serial of a certificate such as "5F3A…"',
  );
}
