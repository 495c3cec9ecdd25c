/** A profile as Markdown, for people. */
import type { ProfileResult, SidecarProfile } from "./profile.ts";

export function profileTable({ at, unit }: ProfileResult): string {
  return Object.entries(at).flatMap(([load, sidecars]) =>
    Object.entries(sidecars).map(([which, one]) =>
      sidecarTable(`${load}, sidecar of the ${which}`, unit, one)
    )
  ).join("\n");
}

function sidecarTable(title: string, unit: string, one: SidecarProfile): string {
  const { kinds, collector: { scavenges, markCompacts, markingMs } } = one;
  const shares = Object.entries(kinds).map(([kind, percent]) => `${kind} ${percent} %`).join(", ");
  const rows = one.functions.map(({ name, percent, self, kernel, native }) =>
    `| ${percent} | ${self} | ${native} | ${kernel} | ${name} |`
  );
  return `## ${title}

${one.cpuUsPerUnit} µs CPU a ${unit} under the profiler; ${one.samples} samples: ${shares}.
Main thread stood still for ${scavenges.count} scavenges ${scavenges.ms} ms, for ${markCompacts.count} mark-compacts ${markCompacts.ms} ms, marked ${markingMs} ms.

| all % | own code | native | kernel | function |
| ----: | -------: | -----: | -----: | :------- |
${rows.join("\n")}

By file: ${Object.entries(one.files).map(([file, percent]) => `${file} ${percent}`).join(", ")}

Kernel: ${Object.entries(one.kernel).map(([name, percent]) => `${name} ${percent}`).join(", ")}
`;
}
