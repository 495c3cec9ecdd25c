/** What `denim run` prints when the mesh is up: what runs where, and what to try. */
import type { LocalMesh } from "./state.ts";

/** `keys`: names of the services that tell two versions of one apart, in the same order. */
export function tell(
  mesh: LocalMesh,
  keys: readonly string[],
  folder: string,
  tookMs: number,
): string {
  const services = mesh.services.map((one, at) => [
    keys[at] ?? one.name,
    `sidecar ${one.inbound} in, ${one.outbound.slice("http://".length)} out, app ${
      one.app.slice("http://".length)
    }, pid ${one.pid}`,
  ]);
  const rows = [
    ["gateway", mesh.gateway],
    ["dashboard", mesh.dashboard],
    ["marketplace", mesh.marketplace],
    ["control", `${mesh.control}/api/v1`],
    ...services,
  ];
  const width = Math.max(...rows.map(([name]) => name!.length)) + 2;
  const table = rows.map(([name, what]) => `  ${name!.padEnd(width)}${what}`).join("\n");
  const tries = curls(mesh).map(([line, why]) => `  ${line}\n      ${why}`).join("\n");
  return `The mesh is up after ${(tookMs / 1000).toFixed(1)} s (state and logs: ${folder})

${table}

Try:
${tries}

Ctrl-C stops all of it.`;
}

/** Five lines worth trying, each with what it shows. */
export function curls(mesh: LocalMesh): [string, string][] {
  const catalog = mesh.services.find((one) => one.name === "catalog");
  const web = mesh.services.find((one) => one.name === "web");
  return [
    [`curl ${mesh.gateway}/`, "gateway → web → catalog → reviews, mTLS between all of them"],
    [
      `for i in $(seq 50); do curl -s ${mesh.gateway}/ | grep -o '"reviews":"v."'; done | sort | uniq -c`,
      "the canary: about one answer in ten is from reviews v2",
    ],
    [
      `curl -H 'x-version: v2' ${mesh.gateway}/`,
      "a header route: always v2 (stars with halves)",
    ],
    [
      `curl -H 'x-demo-delay-ms: 5000' ${mesh.gateway}/`,
      "a slow reviews: its policy ends the wait after 2 s, the shop goes on without stars",
    ],
    [
      `curl -k https://${catalog?.inbound ?? web?.inbound}/products`,
      "a stranger without a certificate of the mesh: refused, see the sidecar's log",
    ],
  ];
}
