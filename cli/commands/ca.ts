/** `denim ca …`: the trust domain's authority. */
import { verbGroup } from "../verb_group.ts";

export const run = verbGroup("ca", "the certificate authority of the trust domain", {
  show: {
    usage: "show",
    about: "roots, issuing certificates and how long they live",
    load: () => import("./ca_show.ts"),
  },
  rotate: {
    usage: "rotate --root|--intermediate",
    about: "replace one, step by step and without an outage",
    load: () => import("./ca_rotate.ts"),
  },
  status: {
    usage: "status",
    about: "where a rotation is, and whom it waits for",
    load: () => import("./ca_status.ts"),
  },
  abort: {
    usage: "abort",
    about: "go back from a rotation that is under way",
    load: () => import("./ca_abort.ts"),
  },
  import: {
    usage: "import --data DIR --chain FILE --key FILE",
    about: "a root and an intermediate of your own",
    load: () => import("./ca_import.ts"),
  },
});
