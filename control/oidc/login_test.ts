/** Cookies of a sign-in over TLS, and the example of the documentation. */
import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { TestIssuer } from "../../tests/support/issuer.ts";
import { oidcSchema, readConfig } from "./config.ts";
import { openOidc } from "./mod.ts";

Deno.test("BrowserLogin binds its cookies to the one host and to TLS where pages are served over it", async () => {
  await using issuer = await TestIssuer.start({ clientId: "denim" });
  const config = oidcSchema.parse({
    issuer: issuer.url,
    audience: "denim",
    roles: { ops: "operator" },
    login: { clientId: "denim", url: "https://mesh.example.com/" },
  });
  const { browser } = await openOidc(config, { clock: systemClock, log: silentLog });
  const answer = await browser!.routes().request("/login?to=/filters");
  const [cookie] = answer.headers.getSetCookie();
  assert.match(cookie!, /^__Host-denim-login=[\w-]{43}; /);
  for (const part of ["Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=600"]) {
    assert.ok(cookie!.split("; ").includes(part), `${cookie} lacks ${part}`);
  }
  assert.ok(!/domain/i.test(cookie!));
  const to = new URL(answer.headers.get("location")!);
  assert.equal(to.searchParams.get("redirect_uri"), "https://mesh.example.com/login/callback");
  assert.equal(answer.headers.get("cache-control"), "no-store");
});

Deno.test("The issuer's file of docs/access.md is one that is taken", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/access.md", import.meta.url));
  const text = /^```\n(issuer:[^]*?)^```/m.exec(page)?.[1];
  assert.ok(text !== undefined);
  const config = readConfig("oidc.yaml", oidcSchema, text);
  assert.deepEqual(Object.keys(config).sort(), Object.keys(oidcSchema.shape).sort());
});
