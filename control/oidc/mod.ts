/**
 * OpenID Connect for people and programs that operate the mesh: bearer tokens of an issuer, and signing in with a
 * browser.
 *
 * @module
 */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { type OidcConfig } from "./config.ts";
import { BrowserLogin } from "./login.ts";
import { Provider } from "./provider.ts";
import { Sessions } from "./sessions.ts";

export { type OidcConfig, readConfig, readConfigFile, readOidcConfig, url } from "./config.ts";
export { type BrowserLogin } from "./login.ts";
export { type Provider } from "./provider.ts";
export type { Session } from "./sessions.ts";

export interface Oidc {
  readonly provider: Provider;
  /** Null when browsers are not signed in. */
  readonly browser: BrowserLogin | null;
}

/** Reads the files a configuration names; the issuer itself is asked when it is needed. */
export async function openOidc(
  config: OidcConfig,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<Oidc> {
  const { caFile, login } = config;
  const caPem = caFile === undefined ? undefined : await Deno.readTextFile(caFile);
  const provider = new Provider({ config, caPem, clock, log });
  if (login === undefined) return { provider, browser: null };
  const { clientSecretFile: file } = login;
  const clientSecret = file === undefined ? null : (await Deno.readTextFile(file)).trim();
  const parts = { provider, login, clientSecret, nowMs: () => clock.nowMs() };
  return { provider, browser: new BrowserLogin(parts, new Sessions(clock)) };
}
