/** What the groups of the API work on. */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Metrics } from "../../core/metrics.ts";
import type { AccessTokens } from "../access/tokens.ts";
import type { AuditLog } from "../audit/log.ts";
import type { Authority, RevocationList, Tokens } from "../ca/mod.ts";
import type { Rotation } from "../ca/rotation.ts";
import type { KeySets } from "../jwks/mod.ts";
import type { FederationKeeper } from "../federation/keeper.ts";
import type { MarketApi } from "../market/mod.ts";
import type { Nodes } from "../push/nodes.ts";
import type { Roster } from "../push/roster.ts";
import type { Publisher } from "../push/publisher.ts";
import type { Ledger } from "../store/ledger.ts";
import type { Vault } from "../store/vault.ts";
import type { ControlView } from "../view.ts";

export interface ApiDeps {
  readonly ledger: Ledger;
  readonly nodes: Nodes;
  readonly publisher: Publisher;
  readonly market: MarketApi;
  readonly vault: Vault;
  readonly tokens: Tokens;
  readonly accessTokens: AccessTokens;
  readonly audit: AuditLog;
  readonly authority: Authority;
  readonly federation: FederationKeeper;
  readonly revocations: RevocationList;
  readonly rotation: Rotation;
  readonly roster: Roster;
  /** When the control plane's own certificate ends. */
  readonly ownEndsMs: () => number;
  readonly view: ControlView;
  readonly clock: Clock;
  readonly keySets: Pick<KeySets, "list">;
  readonly metrics: Metrics;
  readonly log: Log;
}
