/** `denim audit …`: what was done, and by whom. */
import { verbGroup } from "../verb_group.ts";

export const run = verbGroup("audit", "what was done in the mesh, and by whom", {
  log: {
    usage: "log [--limit N] [--result RESULT]",
    about: "changes and refused attempts: who, what, from where",
    load: () => import("./audit_log.ts"),
  },
  certs: {
    usage: "certs [--identity ID] [--serial HEX] [--since TIME]",
    about: "certificates that were issued, and whether their log is whole",
    load: () => import("./audit_certs.ts"),
  },
});
