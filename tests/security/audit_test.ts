/** The audit log of a running control plane: every change, every refusal, and only admins read it. */
import assert from "node:assert/strict";
import type { AuditEntry } from "../../control/audit/log.ts";
import { ControlProcess } from "../support/control.ts";

const service = (name: string) => ({
  apiVersion: "denim.dev/v1",
  kind: "Service",
  metadata: { name },
  spec: { ports: [{ port: 80 }] },
});

async function entries(control: ControlProcess, query = ""): Promise<AuditEntry[]> {
  const { status, body } = await control.call("GET", `/api/v1/audit${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.entries;
}

Deno.test("The audit log has every change and every refused attempt, and reads are not in it", async () => {
  await using control = await ControlProcess.start();
  const made = await control.call("POST", "/api/v1/access-tokens", {
    name: "ci",
    role: "operator",
  });
  const ci = { authorization: `Bearer ${made.body.token}` };
  await control.call("POST", "/api/v1/apply", { resources: [service("web")] }, ci);
  await control.call("GET", "/api/v1/resources", undefined, ci);
  await control.call("POST", "/api/v1/apply", { resources: [{ kind: "Nonsense" }] }, ci);
  await control.call("DELETE", "/api/v1/resources/service/default/web", undefined, ci);
  await control.call("GET", "/api/v1/audit", undefined, ci);
  await control.call("POST", "/api/v1/rollback", { revision: 1 }, { authorization: "" });
  await control.call("GET", "/", undefined, { authorization: "Bearer wrong" });
  await control.call("DELETE", "/api/v1/access-tokens/ci");
  const told = (await entries(control)).map(({ who, proof, what, target, result, code }) =>
    [who, proof, what, target, result, code].join(" | ")
  );
  const { id } = made.body;
  assert.deepEqual(told, [
    `admin | admin-token | DELETE /access-tokens/{id} | token ${id} "ci" | done | `,
    "unknown | none | GET / |  | refused | unauthorized",
    "anonymous | none | POST /rollback |  | refused | unauthorized",
    "ci | token | GET /audit |  | refused | forbidden",
    "ci | token | DELETE /resources/{kind}/{namespace}/{name} | revision 2: Service default/web deleted | done | ",
    "ci | token | POST /apply |  | failed | invalid",
    "ci | token | POST /apply | revision 1: Service default/web created | done | ",
    `admin | admin-token | POST /access-tokens | token ${id} "ci" of role operator | done | `,
  ]);
  assert.ok((await entries(control)).every((one) => one.from === "127.0.0.1"));
  assert.equal((await entries(control, "?result=failed")).length, 1);
  await control.restart();
  assert.equal((await entries(control)).length, 8, "a kill -9 loses nothing");
  const shown = await control.denim("audit", "log", "--limit", "1", "--result", "done");
  assert.match(
    shown.out.trim(),
    /^TIME.*\n\S+Z +admin +admin-token +127\.0\.0\.1 +DELETE .* "ci"$/,
  );
  for (const query of ["limit=x", "limit=2000", "result=maybe"]) {
    assert.equal((await control.call("GET", `/api/v1/audit?${query}`)).status, 400, query);
  }
});

Deno.test("The audit log names whom somebody revoked and let in again, and what was rotated", async () => {
  await using control = await ControlProcess.start();
  await control.call("POST", "/api/v1/revocations", { subject: "default/web" });
  await control.call("POST", "/api/v1/revocations/undo", { subject: "default/web" });
  await control.call("POST", "/api/v1/ca/rotation", { kind: "intermediate" });
  const id = "spiffe://mesh.local/ns/default/sa/web";
  assert.deepEqual((await entries(control)).map(({ what, target }) => `${what}: ${target}`), [
    "POST /ca/rotation: the intermediate",
    `POST /revocations/undo: ${id} not revoked any more`,
    `POST /revocations: ${id} revoked`,
  ]);
});

Deno.test("Nothing is changed while the audit log cannot be written", async () => {
  await using control = await ControlProcess.start();
  const folder = `${control.data}/audit`;
  await control.apply(service("web"));
  await Deno.rename(folder, `${folder}-away`);
  const refused = await control.apply(service("late"));
  assert.deepEqual([refused.status, refused.body.error?.code], [503, "audit_unavailable"]);
  assert.equal((await control.call("GET", "/api/v1/resources")).body.resources.length, 1);
  await Deno.rename(`${folder}-away`, folder);
  assert.equal((await control.apply(service("late"))).status, 200);
});
