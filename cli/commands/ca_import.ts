/** `denim ca import`: a root and an intermediate of your own, checked before the control plane starts with them. */
import { importAuthority } from "../../control/ca/mod.ts";
import { UsageError } from "../args.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim ca import --data DIR [--root FILE] [--chain FILE --key FILE]",
  about:
    "Checks certificates and key of an authority of yours, and lays them into the control plane's\n" +
    "folder. Without --root its roots stay, and the intermediate is replaced; with --root alone\n" +
    "something else signs (denim control --vault-sign). A control plane that is running uses them after\n" +
    "a restart.",
  flags: {
    data: { value: "DIR", required: true, help: "Folder of the control plane" },
    root: { value: "FILE", help: "PEM: one root or several" },
    chain: {
      value: "FILE",
      help: "PEM: the certificate that signs, then each one's issuer, without the root",
    },
    key: { value: "FILE", help: "PKCS#8 PEM: the key of the first one, P-256" },
    "trust-domain": { value: "NAME", default: "mesh.local", help: "Of all identities" },
  },
  examples: [
    "denim ca import --data ./data --root company.pem --chain intermediate.pem --key intermediate.key",
  ],
}, async (args) => {
  const chain = args.find("chain"), key = args.find("key"), root = args.find("root");
  if ((chain === null) !== (key === null)) {
    throw new UsageError("--chain and --key go together: the certificate and its key");
  }
  if (root === null && chain === null) {
    throw new UsageError("--root, or --chain and --key, is wanted");
  }
  const dir = `${args.text("data")}/ca`;
  await importAuthority({
    dir,
    trustDomain: args.text("trust-domain"),
    root,
    issuer: chain === null || key === null ? null : { chain, key },
    nowMs: Date.now(),
  });
  console.log(
    chain === null
      ? `The authority in "${dir}" stands under "${root}" from the next start on; something else signs`
      : `The authority in "${dir}" issues with "${chain}" from the next start on`,
  );
  return EXIT.ok;
});
