/** The metrics pages of several workers as one: every series gets the label of its worker. */

export interface Page {
  readonly worker: number;
  readonly text: string;
}

interface Family {
  readonly comments: string[];
  readonly samples: string[];
}

const SAMPLE = /^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)$/;

/** Prometheus text: each family once, its samples of all pages after another. */
export function mergeMetrics(pages: readonly Page[]): string {
  const families = new Map<string, Family>();
  for (const { worker, text } of pages) {
    let family: Family | null = null;
    for (const line of text.split("\n")) {
      const named = /^# (HELP|TYPE) (\S+)/.exec(line);
      if (named !== null) {
        const [, what, name] = named;
        if (!families.has(name!)) families.set(name!, { comments: [], samples: [] });
        family = families.get(name!)!;
        if (!family.comments.some((one) => one.startsWith(`# ${what} `))) {
          family.comments.push(line);
        }
        continue;
      }
      const sample = SAMPLE.exec(line);
      if (sample === null || family === null) continue;
      const [, name, labels, value] = sample;
      const own = `worker="${worker}"`;
      family.samples.push(`${name}{${labels ? `${own},${labels}` : own}} ${value}`);
    }
  }
  let out = "";
  for (const { comments, samples } of families.values()) {
    out += [...comments, ...samples].join("\n") + "\n";
  }
  return out;
}
