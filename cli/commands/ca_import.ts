/** `denim ca import`: a root and an intermediate of your own, checked before the control plane starts with them. */
import { importAuthority } from "../../control/ca/mod.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim ca import --data DIR [--root FILE] --chain FILE --key FILE",
  about:
    "Checks certificates and key of an authority of yours, and lays them into the control plane's\n" +
    "folder. Without --root its roots stay, and the intermediate is replaced. A control plane that is\n" +
    "running uses them after a restart.",
  flags: {
    data: { value: "DIR", required: true, help: "Folder of the control plane" },
    root: { value: "FILE", help: "PEM: one root or several" },
    chain: {
      value: "FILE",
      required: true,
      help: "PEM: the certificate that signs, then each one's issuer, without the root",
    },
    key: { value: "FILE", required: true, help: "PKCS#8 PEM: the key of the first one, P-256" },
    "trust-domain": { value: "NAME", default: "mesh.local", help: "Of all identities" },
  },
  examples: [
    "denim ca import --data ./data --root company.pem --chain intermediate.pem --key intermediate.key",
  ],
}, async (args) => {
  const dir = `${args.text("data")}/ca`;
  await importAuthority({
    dir,
    trustDomain: args.text("trust-domain"),
    root: args.find("root"),
    chain: args.text("chain"),
    key: args.text("key"),
    nowMs: Date.now(),
  });
  console.log(
    `The authority in "${dir}" issues with "${args.text("chain")}" from the next start on`,
  );
  return EXIT.ok;
});
