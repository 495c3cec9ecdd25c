/** From an upload to a listing: every check in order, and the artefact proxies will run. */
import type { Clock } from "../../core/clock.ts";
import { CAPABILITIES, type Capability } from "../../wasm/capabilities.ts";
import { sha256 } from "../../wasm/filter.ts";
import type { HookName, Inspection } from "../../wasm/inspect.ts";
import { INSTRUMENTER_VERSION } from "../../wasm/instrument.ts";
import type { GivenPermissions } from "../../wasm/permissions.ts";
import { ModuleError } from "../../wasm/reader.ts";
import { makeArtefact } from "./artefact.ts";
import { bindingOf } from "./binding.ts";
import { MARKET_LIMITS } from "./limits.ts";
import { configText, type Manifest, readManifest } from "./manifest.ts";
import { verifyStatement } from "./statement.ts";
import { runTrial, type TrialInput, type TrialResult, tryStart } from "./trial.ts";
import { type Listing, MarketError, type Publisher, type Push, type Statement } from "./types.ts";

/** A push whose signature, digests and manifest are right. */
export interface Verified {
  readonly push: Push;
  readonly manifest: Manifest;
  readonly statement: Statement;
}

export interface Admitted {
  readonly listing: Listing;
  readonly artefact: Uint8Array;
}

/** Who says so, and do the bytes match: nothing of the module is looked at before this. */
export async function verifyPush(
  push: Push,
  publisherOf: (name: string) => Publisher | undefined,
): Promise<Verified> {
  if (push.bytes.length > MARKET_LIMITS.moduleBytes) {
    throw refuse(
      "market.too_large",
      413,
      "module",
      `The module has ${push.bytes.length} bytes; at most ${MARKET_LIMITS.moduleBytes} are taken`,
    );
  }
  const statement = await verifyStatement(push.statement, push.signature, publisherOf);
  const digests = [
    ["module", statement.moduleDigest, await sha256(push.bytes)],
    ["manifest", statement.manifestDigest, await sha256(new TextEncoder().encode(push.manifest))],
  ] as const;
  for (const [what, signed, actual] of digests) {
    if (signed === actual) continue;
    throw refuse(
      "market.digest_mismatch",
      400,
      what,
      `The ${what} has the digest ${actual}, but ${signed} was signed`,
    );
  }
  const manifest = readManifest(push.manifest);
  for (const member of ["name", "version"] as const) {
    if (manifest[member] === statement[member]) continue;
    throw refuse(
      "market.statement_mismatch",
      400,
      `manifest.${member}`,
      `The manifest's ${member} is "${manifest[member]}", but "${statement[member]}" was signed`,
    );
  }
  return { push, manifest, statement };
}

/** Scans, meters, loads and measures. Throws {@link MarketError}, code `market.refused`, on a module that will not do. */
export async function admitVerified(verified: Verified, clock: Clock): Promise<Admitted> {
  const { push, manifest } = verified;
  try {
    const { artefact, abi, inspection, wat } = await makeArtefact(push.bytes, manifest);
    const digest = await sha256(artefact);
    const asked = manifest.capabilities;
    const input: TrialInput = {
      abi,
      bytes: artefact,
      digest,
      name: manifest.name,
      config: configText(manifest),
      fuelPerCall: manifest.limits.fuelPerCall,
      memoryBytes: manifest.limits.memoryMiB * 1024 * 1024,
      capabilities: asked === undefined
        ? Object.keys(CAPABILITIES)
        : [...asked.required, ...asked.optional],
      permissions: manifest.permissions,
    };
    const trial = await runTrial(input);
    if (asked !== undefined && asked.optional.length > 0) {
      await startRequired(input, asked.required);
    }
    const facts = { abi, digest, bytes: artefact.length, inspection, trial, wat };
    return { listing: describe(verified, facts, clock.nowMs()), artefact };
  } catch (error) {
    if (error instanceof MarketError) throw error;
    const code = error instanceof ModuleError ? error.code : "wasm.load";
    const reason = error instanceof Error ? error.message : String(error);
    throw new MarketError(
      "market.refused",
      422,
      `${manifest.name}@${manifest.version} was refused: ${reason}`,
      [{ path: "module", message: `${code}: ${reason}` }],
    );
  }
}

/** What a manifest calls optional is. */
async function startRequired(input: TrialInput, required: readonly string[]): Promise<void> {
  try {
    await tryStart({ ...input, capabilities: required });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ModuleError(
      "wasm.load",
      `It does not start with what its manifest requires alone (capabilities.required is ` +
        `${JSON.stringify(required)}): ${reason}`,
    );
  }
}

interface Facts {
  readonly abi: "proxy-wasm" | "component";
  readonly digest: string;
  readonly bytes: number;
  readonly inspection: Inspection;
  readonly trial: TrialResult;
  readonly wat: boolean;
}

function describe(verified: Verified, facts: Facts, nowMs: number): Listing {
  const { push, manifest, statement } = verified;
  const { inspection, trial } = facts;
  const asked = manifest.capabilities;
  const imported = capabilitiesOf(inspection, trial);
  const capabilities = asked === undefined
    ? imported
    : imported.filter((one) => asked.required.includes(one) || asked.optional.includes(one));
  const unasked = imported.filter((one) => !capabilities.includes(one));
  const { permissions } = manifest;
  const hooks: readonly HookName[] = trial.hooks ?? inspection.hooks;
  const { name, version, phase } = manifest;
  return {
    name,
    version,
    title: manifest.title,
    summary: manifest.summary,
    description: manifest.description,
    publisher: name.split("/")[0]!,
    license: manifest.license,
    categories: manifest.categories,
    links: Object.fromEntries(Object.entries(manifest.links)) as Record<string, string>,
    signature: {
      state: "verified",
      key: statement.key,
      statement: push.statement,
      value: push.signature,
    },
    language: languageOf(manifest, facts),
    abi: facts.abi,
    abiVersion: inspection.abi,
    hooks,
    capabilities,
    ...(asked === undefined ? {} : { required: asked.required }),
    ...(permissions === undefined ? {} : { permissions: permissions as GivenPermissions }),
    touches: capabilities.map((capability) => CAPABILITIES[capability]),
    measured: trial.measured,
    originalBytes: push.bytes.length,
    bytes: facts.bytes,
    digest: facts.digest,
    originalDigest: statement.moduleDigest,
    manifestDigest: statement.manifestDigest,
    warnings: warningsOf(manifest, facts, unasked),
    config: configText(manifest),
    ...inspection.configSchema === undefined ? {} : { configSchema: inspection.configSchema },
    limits: manifest.limits,
    phase,
    binding: bindingOf({
      name,
      version,
      phase,
      capabilities,
      config: manifest.config,
      ...(permissions === undefined ? {} : { permissions: permissions as GivenPermissions }),
    }),
    install: `denim filter install ${name}@${version} --to Service/NAME`,
    admittedMs: nowMs,
    instrumenter: INSTRUMENTER_VERSION,
  };
}

/** From imports; a component's body access shows in what it asked for when it was configured. */
function capabilitiesOf(inspection: Inspection, trial: TrialResult): Capability[] {
  const found = new Set<Capability>(inspection.capabilities);
  if (inspection.kind === "component" && trial.bodies) {
    found.add("body-read");
    found.add("body-write");
  }
  return (Object.keys(CAPABILITIES) as Capability[]).filter((one) => found.has(one));
}

/** What the binary shows wins over what is claimed; TypeScript leaves no trace that JavaScript does not. */
function languageOf(manifest: Manifest, facts: Facts): string {
  if (facts.wat) return "wat";
  const { language } = facts.inspection;
  if (language === "javascript") return manifest.language ?? "typescript";
  return language === "unknown" ? manifest.language ?? "unknown" : language;
}

function warningsOf(manifest: Manifest, facts: Facts, unasked: readonly string[]): string[] {
  const { trial, inspection } = facts;
  const warnings: string[] = [];
  if (trial.measured.traps > 0) {
    warnings.push(
      `It failed on the reference trace: ${trial.lastTrap}. Bound to live traffic, the fail mode of ` +
        "its FilterBinding will decide about requests.",
    );
  } else if (trial.measured.fuelPerCall * 2 > manifest.limits.fuelPerCall) {
    warnings.push(
      `One call used ${trial.measured.fuelPerCall} of ${manifest.limits.fuelPerCall} fuel on the ` +
        "reference trace; larger messages may exhaust it.",
    );
  }
  if (unasked.length > 0) {
    warnings.push(
      `It imports functions of ${unasked.join(", ")}, which its manifest does not ask for; ` +
        "calling one fails.",
    );
  }
  if (inspection.unknownImports.length > 0) {
    const names = inspection.unknownImports.slice(0, 5).join(", ");
    warnings.push(`It imports functions no host here has (${names}); calling one fails.`);
  }
  return warnings;
}

function refuse(code: string, status: number, path: string, message: string): MarketError {
  return new MarketError(code, status, message, [{ path, message }]);
}
