/** `denim ca show`: who vouches for the mesh, and for how long. */
import type { AuthorityView, CertificateView } from "../../control/view.ts";
import { Client, CLIENT_FLAGS } from "../client.ts";
import { moment, OUTPUT_FLAG, outputForm, span, structured, table } from "../output.ts";
import { EXIT, verb } from "../verb.ts";

export const run = verb({
  usage: "denim ca show",
  about: "Shows the roots proxies believe, the certificates that issue, and when each ends.",
  flags: { ...OUTPUT_FLAG, ...CLIENT_FLAGS },
}, async (args) => {
  const form = outputForm(args);
  const client = await Client.find(args);
  const view = await client.get<AuthorityView>("/ca");
  if (form !== "table") console.log(structured(form, view));
  else console.log(text(view, Date.now()));
  return EXIT.ok;
});

function text(view: AuthorityView, nowMs: number): string {
  const row = (what: string, one: CertificateView): string[] => [
    what,
    one.subject,
    one.serial,
    moment(one.notAfter),
    Date.parse(one.notAfter) <= nowMs ? "expired" : span(Date.parse(one.notAfter) - nowMs),
  ];
  return [
    `Trust domain  ${view.trustDomain}`,
    `Signer        ${view.signer}`,
    `Leaf lifetime ${span(view.leafTtlMs)}`,
    "",
    table(["WHAT", "SUBJECT", "SERIAL", "ENDS", "LEFT"], [
      ...view.roots.map((one) => row("root", one)),
      ...view.issuers.map((one) => row("intermediate", one)),
    ]),
    ...(view.federation.length === 0 ? [] : ["", federated(view, nowMs)]),
  ].join("\n");
}

function federated({ federation }: AuthorityView, nowMs: number): string {
  return table(
    ["FEDERATED WITH", "PROFILE", "ROOTS", "SEQUENCE", "FETCHED", "LAST FAILURE"],
    federation.map((one) => [
      one.trustDomain,
      one.profile,
      String(one.certificates),
      String(one.sequence ?? ""),
      one.fetchedMs === null ? "never" : `${span(nowMs - one.fetchedMs)} ago`,
      one.reason,
    ]),
  );
}
