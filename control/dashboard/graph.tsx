/** Who calls whom, drawn in layers from left to right: one seam per pair of services. */
import type { Child } from "hono/jsx";
import * as show from "./format.ts";
import type { Edge, Overview } from "./model.ts";

const WIDTH = 150, HEIGHT = 46, GAP_X = 112, GAP_Y = 26;
/** A picture with more boxes than this says nothing; the tables do. */
const MAX_BOXES = 40;

export interface Box {
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

export function Graph({ mesh }: { mesh: Overview }): Child {
  const boxes = place(mesh.edges);
  if (boxes.size === 0 || boxes.size > MAX_BOXES) return <section id="graph" data-live></section>;
  const width = Math.max(...[...boxes.values()].map((box) => box.x)) + WIDTH + 2;
  const height = Math.max(...[...boxes.values()].map((box) => box.y)) + HEIGHT + 2;
  return (
    <section id="graph" aria-labelledby="graph-h" data-live>
      <h2 id="graph-h">
        Traffic <small>from the callers' proxies, over mTLS</small>
      </h2>
      <div
        class="sheet graph"
        tabindex={0}
        role="group"
        aria-label="Traffic picture, scrolls sideways"
      >
        <svg
          width={width}
          height={height}
          viewBox={`-1 -1 ${width} ${height}`}
          role="img"
          aria-label={inWords(mesh.edges)}
        >
          {mesh.edges.map((edge) => <Seam edge={edge} boxes={boxes} />)}
          {[...boxes.values()].map((box) => (
            <g>
              <rect x={box.x} y={box.y} width={WIDTH} height={HEIGHT} rx="8" />
              <text x={box.x + WIDTH / 2} y={box.y + HEIGHT / 2 + 5} text-anchor="middle">
                {box.name}
              </text>
            </g>
          ))}
        </svg>
      </div>
    </section>
  );
}

function Seam({ edge, boxes }: { edge: Edge; boxes: ReadonlyMap<string, Box> }): Child {
  const from = boxes.get(edge.from)!, to = boxes.get(edge.to)!;
  const x1 = from.x + WIDTH, y1 = from.y + HEIGHT / 2, x2 = to.x, y2 = to.y + HEIGHT / 2;
  const bend = (x1 + x2) / 2;
  const failing = edge.successRate !== null && edge.successRate < 0.99;
  const kind = edge.requestsPerSecond === 0 ? "idle" : failing ? "bad flows" : "flows";
  return (
    <g>
      <path class={kind} d={`M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}`} />
      <text class="soft" x={x2 - 10} y={y1 < y2 ? y2 + 16 : y2 - 8} text-anchor="end">
        {edge.requestsPerSecond === 0 ? "quiet" : `${show.rate(edge.requestsPerSecond)}/s`}
      </text>
    </g>
  );
}

/** Each service one column right of its deepest caller; a cycle ends the walk. */
export function place(edges: readonly Edge[]): ReadonlyMap<string, Box> {
  const column = new Map<string, number>();
  for (const edge of edges) column.set(edge.from, 0).set(edge.to, 0);
  for (let pass = 0; pass < column.size; pass++) {
    let moved = false;
    for (const edge of edges) {
      const least = column.get(edge.from)! + 1;
      if (edge.from === edge.to || column.get(edge.to)! >= least || least >= column.size) continue;
      column.set(edge.to, least);
      moved = true;
    }
    if (!moved) break;
  }
  const columns = new Map<number, string[]>();
  for (const [name, at] of column) columns.set(at, [...columns.get(at) ?? [], name]);
  const tallest = Math.max(0, ...[...columns.values()].map((names) => names.length));
  const boxes = new Map<string, Box>();
  for (const [at, names] of columns) {
    const top = (tallest - names.length) * (HEIGHT + GAP_Y) / 2;
    names.sort().forEach((name, row) =>
      boxes.set(name, { name, x: at * (WIDTH + GAP_X), y: top + row * (HEIGHT + GAP_Y) })
    );
  }
  return boxes;
}

function inWords(edges: readonly Edge[]): string {
  return edges.map((edge) =>
    `${edge.from} calls ${edge.to}, ${show.rate(edge.requestsPerSecond)} a second`
  )
    .join("; ");
}
