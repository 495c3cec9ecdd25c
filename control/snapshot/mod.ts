/**
 * From resources to snapshots: `checkReferences` refuses what names something that is not there,
 * `buildSnapshot` computes what one proxy has to do, `buildStandalone` the same without a control plane,
 * `routeStatus` says what became of a route, `policyStatus` where an AuthorizationPolicy holds.
 *
 * @module
 */
export {
  type BuildInput,
  buildSnapshot,
  buildSnapshots,
  buildStandalone,
  moduleFiles,
  type StandaloneOptions,
} from "./build.ts";
export { checkReferences, type KnownModule, type ReferenceProblem } from "./check.ts";
export { canonicalJson, contentHash } from "./hash.ts";
export { APP_BACKEND } from "./inbound.ts";
export type { FetchedKeys } from "./jwt.ts";
export { type AdmittedModule, compareVersions, findModule } from "./modules.ts";
export { Mesh } from "./mesh.ts";
export { type PolicyCounts, type PolicyStatus, policyStatus } from "./policy_status.ts";
export { isRoute, type RouteStatus, routeStatus } from "./status.ts";
export type { Workload } from "./work.ts";
