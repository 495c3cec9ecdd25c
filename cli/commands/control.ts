/** `denim control`: the control plane as a process. */
import { type Args, parseDuration, UsageError } from "../args.ts";
import { EXIT, untilStopped, verb } from "../verb.ts";
import { stderrLog } from "../../core/log.ts";
import { readKubernetesConfig } from "../../control/attest/config.ts";
import { type Signer, VaultSigner } from "../../control/ca/mod.ts";
import { type ControlOptions, startControl } from "../../control/main.ts";
import { readOidcConfig } from "../../control/oidc/mod.ts";

/**
 * Permissions it needs: net (its two ports), read of its own sources and of DATA, write of DATA, env
 * (DENIM_DEBUG), and run of the deno executable, which compiles components that are pushed in a process
 * of its own.
 */
export const run = verb({
  usage: "denim control --data DIR [flags]",
  about:
    "Starts a control plane: the API and pages for people, and the mTLS stream for proxies.\n" +
    "The first start makes the folder, the certificate authority and the admin token.",
  flags: {
    data: { value: "DIR", required: true, help: "Folder for everything that is kept" },
    listen: { value: "HOST:PORT", default: "127.0.0.1:7000", help: "API and pages" },
    "mesh-listen": { value: "HOST:PORT", default: "127.0.0.1:7001", help: "For proxies, mTLS" },
    "trust-domain": { value: "NAME", default: "mesh.local", help: "Of all identities" },
    "leaf-ttl": { value: "TIME", default: "24h", help: "How long proxies' certificates live" },
    "bundle-listen": {
      value: "HOST:PORT",
      help: "Serve the trust bundle to other trust domains (SPIFFE bundle endpoint)",
    },
    "bundle-cert": {
      value: "FILE",
      help: "PEM chain for it (https_web); else the SVID (https_spiffe)",
    },
    "bundle-key": { value: "FILE", help: "Its key" },
    "vault-sign": {
      value: "URL",
      help: "Have Vault or OpenBao sign: https://vault:8200/v1/pki/sign/ROLE",
    },
    "vault-token-file": { value: "FILE", help: "Its token; read for every request" },
    "vault-ca": { value: "FILE", help: "PEM that vouches for its server; else the system's" },
    "allow-host": { value: "NAME", many: true, help: "Answer requests to this host name as well" },
    "open-reads": { help: "Let everybody who can connect read, not only this machine" },
    oidc: { value: "FILE", help: "Issuer whose tokens are believed and which signs browsers in" },
    kubernetes: { value: "FILE", help: "Clusters whose pods join by their service account" },
    "closed-reads": { help: "Let nobody read without a token, this machine neither" },
    "lost-grace": {
      value: "TIME",
      default: "10s",
      help: "How long a workload keeps its endpoint when its connection is lost",
    },
    "restart-grace": {
      value: "TIME",
      default: "30s",
      help: "The same after a restart of the control plane",
    },
    verbose: { help: "Log more" },
  },
  examples: [
    "denim control --data ./data",
    "denim control --data /var/lib/denim --listen 0.0.0.0:7000 --mesh-listen 0.0.0.0:7001",
    "with no more rights than it needs: deno run --no-prompt --allow-net --allow-env=DENIM_DEBUG \\",
    "      --allow-read=.,DATA --allow-write=DATA --allow-run=deno cli/main.ts control --data DATA",
  ],
}, async (args) => {
  const stopped = untilStopped();
  const oidcFile = args.find("oidc"), clusters = args.find("kubernetes");
  const control = await startControl({
    data: args.text("data"),
    listen: args.place("listen"),
    meshListen: args.place("mesh-listen"),
    trustDomain: args.text("trust-domain"),
    leafTtlMs: parseDuration("--leaf-ttl", args.text("leaf-ttl")),
    ...await bundleOf(args),
    ...await signerOf(args),
    hosts: args.all("allow-host"),
    ...readsOf(args),
    oidc: oidcFile === null ? null : await readOidcConfig(oidcFile),
    kubernetes: clusters === null ? null : await readKubernetesConfig(clusters),
    grace: {
      lostGraceMs: parseDuration("--lost-grace", args.text("lost-grace")),
      restartGraceMs: parseDuration("--restart-grace", args.text("restart-grace")),
    },
    log: stderrLog(args.on("verbose") ? "debug" : "info"),
  });
  const { url, meshAddress: mesh, adminTokenFile, bundleAddress } = control;
  const bundle = bundleAddress === null ? {} : { bundle: bundleAddress };
  console.log(JSON.stringify({ ready: true, url, mesh, ...bundle, adminTokenFile, pid: Deno.pid }));
  await stopped;
  await control.close();
  return EXIT.ok;
});

function readsOf(args: Args): { reads?: "open" | "closed" } {
  const open = args.on("open-reads"), closed = args.on("closed-reads");
  if (open && closed) throw new UsageError("--open-reads and --closed-reads exclude each other");
  return open ? { reads: "open" } : closed ? { reads: "closed" } : {};
}

/** What signs instead of a key of ours, when it was asked for. */
async function signerOf(args: Args): Promise<{ readonly signer?: Signer }> {
  const signUrl = args.find("vault-sign"), tokenFile = args.find("vault-token-file");
  const ca = args.find("vault-ca");
  if (signUrl === null && tokenFile === null && ca === null) return {};
  if (signUrl === null || tokenFile === null) {
    throw new UsageError("--vault-sign and --vault-token-file go together");
  }
  const serverCa = ca === null ? undefined : await Deno.readTextFile(ca);
  return { signer: new VaultSigner({ signUrl, tokenFile, serverCa }) };
}

async function bundleOf(args: Args): Promise<Pick<ControlOptions, "bundleListen">> {
  const cert = args.find("bundle-cert"), key = args.find("bundle-key");
  if (args.find("bundle-listen") === null) {
    if (cert === null && key === null) return {};
    throw new UsageError("--bundle-cert and --bundle-key want --bundle-listen");
  }
  const place = args.place("bundle-listen");
  if (cert === null && key === null) return { bundleListen: place };
  if (cert === null || key === null) {
    throw new UsageError("--bundle-cert and --bundle-key go together");
  }
  const certificate = {
    certPem: await Deno.readTextFile(cert),
    keyPem: await Deno.readTextFile(key),
  };
  return { bundleListen: { ...place, certificate } };
}
