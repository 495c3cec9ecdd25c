/** Composition root of the control plane: opens its parts in the order they need each other, and closes them. */
import { type Clock, systemClock, systemRandom } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { AccessTokens } from "./access/tokens.ts";
import { createApp } from "./app.ts";
import type { KubernetesConfig } from "./attest/config.ts";
import { KubernetesAttestor } from "./attest/kubernetes.ts";
import { AuditLog } from "./audit/log.ts";
import { adminToken, type AuthOptions } from "./auth.ts";
import { Authority, DEFAULT_LEAF_TTL_MS, RevocationList, type Signer, Tokens } from "./ca/mod.ts";
import { Metrics } from "../core/metrics.ts";
import { fetchJwks, KeySets } from "./jwks/mod.ts";
import { Market, type MarketApi } from "./market/mod.ts";
import { type OidcConfig, openOidc } from "./oidc/mod.ts";
import { Rotation } from "./ca/rotation.ts";
import { RotationFiles } from "./ca/rotation_files.ts";
import {
  keepOwnCertificate,
  type MeshListener,
  ownIdentity,
  startMeshListener,
} from "./push/listener.ts";
import type { SessionDeps } from "./push/session.ts";
import { type RunningEndpoint, startEndpoint } from "./federation/endpoint.ts";
import { FederationKeeper } from "./federation/keeper.ts";
import { ofKind } from "./schema/kinds.ts";
import type { TrustSpec } from "./schema/snapshot.ts";
import { Nodes } from "./push/nodes.ts";
import { Publisher } from "./push/publisher.ts";
import { Roster } from "./push/roster.ts";
import { startRotating } from "./rotating.ts";
import { Workloads, type WorkloadsOptions } from "./push/workloads.ts";
import { runningView } from "./running_view.ts";
import { Ledger } from "./store/ledger.ts";
import { SqliteStore } from "./store/sqlite.ts";
import { Vault } from "./store/vault.ts";
import { KeptTokens } from "./store/token_store.ts";

export interface ControlOptions {
  /** Folder for everything that is kept: store, authority, marketplace, admin token. */
  readonly data: string;
  /** Where people and tools call, and where proxies connect. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly meshListen: { readonly host: string; readonly port: number };
  /** Where other trust domains get our bundle; with a certificate https_web, else https_spiffe. */
  readonly bundleListen?: {
    readonly host: string;
    readonly port: number;
    readonly certificate?: { readonly certPem: string; readonly keyPem: string };
  };
  readonly trustDomain: string;
  readonly leafTtlMs?: number;
  /** What signs leafs instead of a key in the folder. */
  readonly signer?: Signer;
  /** Names beside those of this machine that requests may be addressed to. */
  readonly hosts?: readonly string[];
  /** An issuer whose tokens are believed, and which signs browsers in. */
  readonly oidc?: OidcConfig | null;
  /** Clusters whose pods may join by their service account. */
  readonly kubernetes?: KubernetesConfig | null;
  /** Who may read without saying who they are; default: this machine. */
  readonly reads?: AuthOptions["reads"];
  readonly grace?: Pick<WorkloadsOptions, "lostGraceMs" | "restartGraceMs">;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface RunningControl {
  /** `http://host:port`. */
  readonly url: string;
  /** `host:port` for proxies. */
  readonly meshAddress: string;
  /** `host:port` where other trust domains get our bundle; null: nowhere. */
  readonly bundleAddress: string | null;
  readonly adminTokenFile: string;
  close(): Promise<void>;
}

const SWEEP_MS = 1000;
/** Requests that are being answered when the control plane stops get so long. */
const CLOSE_MS = 2000;

/** Rejects with a sentence that says what to do when something cannot be opened; nothing stays open then. */
export async function startControl(options: ControlOptions): Promise<RunningControl> {
  const { clock = systemClock, log, data, trustDomain } = options;
  await using opened = new AsyncDisposableStack();
  const store = await SqliteStore.open(data);
  opened.defer(() => store.close());
  const tokenFile = `${data}/admin.token`;
  const token = await adminToken(tokenFile);
  const files = new RotationFiles({ dir: `${data}/ca`, trustDomain, clock });
  await Rotation.recover(files);
  const authority = await Authority.open(`${data}/ca`, {
    trustDomain,
    leafTtlMs: options.leafTtlMs ?? DEFAULT_LEAF_TTL_MS,
    ...(options.signer === undefined ? {} : { signer: options.signer }),
    clock,
  });
  const market: MarketApi = await Market.open(`${data}/market`, { clock, log });
  const vault = await Vault.open(store, `${data}/vault.key`);
  const ledger = await Ledger.open(store, { clock, log });
  opened.defer(() => ledger.close());
  const workloads = await Workloads.open(store, { clock, log, ...options.grace });
  opened.defer(() => workloads.settled());
  const roster = await Roster.open(store, { clock, log });
  opened.defer(() => roster.settled());

  const nodes = new Nodes(clock);
  const revocations = await RevocationList.open(store, { clock, log });
  const federation = await FederationKeeper.open({
    dir: `${data}/federation`,
    trustDomain,
    clock,
    log,
  });
  opened.defer(() => federation.close());
  const configureFederation = (): Promise<void> =>
    federation.configure(ofKind(ledger.resources(), "MeshConfig")[0]?.spec.federation ?? []);
  // Before the first snapshot: a start must not cut off those who were believed a moment ago.
  await configureFederation();
  const trust = () => ({
    domain: trustDomain,
    bundle: authority.bundle(),
    ...federatedSpec(federation),
    ...(revocations.spec === undefined ? {} : { revoked: revocations.spec }),
  });
  const metrics = new Metrics();
  const keySets = await KeySets.open({
    store,
    ledger,
    fetch: (uri, places) => fetchJwks(uri, { places }),
    clock,
    random: systemRandom,
    metrics,
    log,
  });
  opened.defer(() => keySets.close());
  const publisher = new Publisher({ ledger, workloads, nodes, market, keySets, trust, clock, log });
  opened.defer(() => publisher.close());
  revocations.onChange(() => publisher.schedule());
  authority.onChange(() => publisher.schedule());
  federation.onChange(() => publisher.schedule());
  ledger.onChange(() => void configureFederation());
  const tokens = new Tokens(new KeptTokens(store), { clock });
  const audit = await AuditLog.open(`${data}/audit`, { clock, log });
  const attestor = options.kubernetes == null
    ? null
    : new KubernetesAttestor({ config: options.kubernetes, trustDomain, clock, log });
  const shared = {
    authority,
    revocations,
    tokens,
    audit,
    nodes,
    publisher,
    market,
    vault,
    keySets,
    clock,
    log,
  };
  const rotating = await startRotating({
    ...{ ...shared, files, roster, trust },
    ownIssuer: () => mesh.issuer, // asked for when proxies have come, which is later
  });
  opened.defer(() => rotating.close());
  const { meshListen } = options;
  const mesh: MeshListener = await startMeshListener(meshListen.host, meshListen.port, {
    ...{ ...shared, attestor, workloads, roster },
    renewalFault: (chain) => rotating.renewalFault(chain),
  });
  opened.defer(() => mesh.close());
  const view = runningView({ trustDomain, clock, ledger, nodes, workloads, market });
  const accessTokens = new AccessTokens(store, clock);
  const oidc = options.oidc == null ? null : await openOidc(options.oidc, { clock, log });
  const { rotation } = rotating;
  const ownEndsMs = (): number => mesh.certExpiresMs;
  const app = createApp(
    {
      ...shared,
      accessTokens,
      ledger,
      view,
      rotation,
      roster,
      metrics,
      ownEndsMs,
      federation,
    },
    {
      adminToken: token,
      tokens: accessTokens,
      hosts: [options.listen.host, ...options.hosts ?? []],
      oidc,
      // Where people sign in there is mostly a reverse proxy, and behind it everything looks local.
      reads: options.reads ?? (oidc === null ? "local" : "closed"),
    },
  );
  const bundle = await serveBundle(options, { authority, clock, log }, opened);
  const server = serve(options.listen, (request, remoteAddress) => {
    return app.fetch(request, { remoteAddress });
  });
  opened.defer(() => stopServer(server));
  const sweeper = setInterval(() => {
    nodes.sweep();
    workloads.sweep();
    revocations.sweep();
    keySets.sweep();
    roster.sweep();
    rotating.sweep();
  }, SWEEP_MS);
  opened.defer(() => clearInterval(sweeper));

  const url = `http://${hostText(options.listen.host)}:${server.addr.port}`;
  if (bundle !== null) {
    log.info("bundle.ready", { address: bundle.address, profile: bundle.profile });
  }
  log.info("control.ready", { url, mesh: mesh.address, revision: ledger.head, trustDomain });
  return running(
    { url, mesh, tokenFile, bundleAddress: bundle?.address ?? null },
    opened.move(),
  );
}

/** Absent where there is no other trust domain, so that snapshots of meshes without stay what they were. */
function federatedSpec(federation: FederationKeeper): Pick<TrustSpec, "federated"> {
  const federated = federation.bundles();
  return federated.length === 0 ? {} : { federated };
}

async function serveBundle(
  { bundleListen, data }: ControlOptions,
  deps: Pick<SessionDeps, "authority" | "clock" | "log">,
  opened: AsyncDisposableStack,
): Promise<RunningEndpoint | null> {
  if (bundleListen === undefined) return null;
  const { certificate, ...listen } = bundleListen;
  const own = certificate === undefined ? await ownIdentity(deps.authority, deps) : null;
  if (own !== null) {
    const renewal = keepOwnCertificate(own, deps);
    opened.defer(() => renewal.stop());
  }
  const endpoint = await startEndpoint({
    listen,
    identity: own ?? certificate!,
    authority: deps.authority,
    sequenceFile: `${data}/federation/own.json`,
    log: deps.log,
  });
  opened.defer(() => endpoint.close());
  return endpoint;
}

function running(
  { url, mesh, tokenFile, bundleAddress }: {
    url: string;
    mesh: MeshListener;
    tokenFile: string;
    bundleAddress: string | null;
  },
  parts: AsyncDisposableStack,
): RunningControl {
  return {
    url,
    meshAddress: mesh.address,
    bundleAddress,
    adminTokenFile: tokenFile,
    close: () => parts.disposeAsync(),
  };
}

type Answer = (request: Request, remoteAddress: string) => Response | Promise<Response>;

function serve(
  { host, port }: ControlOptions["listen"],
  answer: Answer,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve(
      { hostname: host, port, onListen: () => {} },
      (request, info) => answer(request, info.remoteAddr.hostname),
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new Error(
      `Cannot listen on ${hostText(host)}:${port}: the port is in use. Stop the program that has ` +
        "it, or choose another with --listen (port 0 takes a free one)",
    );
  }
}

/** Lets running answers end, but does not wait for connections that are merely kept open. */
async function stopServer(server: Deno.HttpServer): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => late.resolve(), CLOSE_MS);
  await Promise.race([server.shutdown(), late.promise]);
  clearTimeout(timer);
}

function hostText(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
