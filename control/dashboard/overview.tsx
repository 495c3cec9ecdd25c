/** `/`: services, who calls whom, proxies, filters and revisions as they are now. */
import type { Child } from "hono/jsx";
import * as show from "./format.ts";
import { Graph } from "./graph.tsx";
import type { Overview, ProxyRow, ServiceRow } from "./model.ts";
import { Filters, Proxies, Revisions } from "./overview_tables.tsx";

export function OverviewPage({ mesh }: { mesh: Overview }): Child {
  return (
    <>
      <h1 class="skip">The mesh now</h1>
      <Figures mesh={mesh} />
      <Services mesh={mesh} />
      <Graph mesh={mesh} />
      <Proxies mesh={mesh} />
      <Filters rows={mesh.filters} />
      <Revisions rows={mesh.revisions} nowMs={mesh.nowMs} />
    </>
  );
}

function Figures({ mesh }: { mesh: Overview }): Child {
  const { totals, proxies } = mesh;
  const inForce = proxies.filter((proxy) => proxy.state === "in force").length;
  const latest = mesh.revisions[0];
  return (
    <dl class="figures" id="figures" data-live>
      <div>
        <dt>Requests a second</dt>
        <dd>
          {show.rate(totals.requestsPerSecond)}
          <small>over the last seconds</small>
        </dd>
      </div>
      <div>
        <dt>Success</dt>
        <dd>
          {show.percent(totals.successRate)}
          <small>
            {totals.p99Ms === null
              ? "no traffic yet"
              : `99 of 100 within ${show.millis(totals.p99Ms)}`}
          </small>
        </dd>
      </div>
      <div>
        <dt>Proxies in force</dt>
        <dd>
          {inForce} of {proxies.length}
          <small>
            {inForce === proxies.length ? "all on their newest snapshot" : whoLags(proxies)}
          </small>
        </dd>
      </div>
      <div>
        <dt>Revision</dt>
        <dd>
          {mesh.revision}
          <small>{latest ? show.ago(latest.createdMs, mesh.nowMs) : "nothing applied yet"}</small>
        </dd>
      </div>
    </dl>
  );
}

function whoLags(proxies: readonly ProxyRow[]): string {
  const lag = proxies.filter((proxy) => proxy.state !== "in force");
  return lag.slice(0, 2).map((proxy) => `${proxy.name}: ${proxy.state}`).join(", ") +
    (lag.length > 2 ? ` and ${lag.length - 2} more` : "");
}

const HEALTH: Readonly<Record<ServiceRow["health"], string>> = {
  healthy: "good",
  degraded: "warn",
  failing: "bad",
  down: "bad",
  empty: "",
};

function Services({ mesh }: { mesh: Overview }): Child {
  return (
    <section id="services" aria-labelledby="services-h" data-live>
      <h2 id="services-h">
        Services <small>as their own sidecars see the requests</small>
      </h2>
      <div class="sheet">
        {mesh.services.length === 0
          ? (
            <p class="empty">
              No service yet. Apply one: <code>denim apply -f mesh.yaml</code>
            </p>
          )
          : (
            <table>
              <thead>
                <tr>
                  <th>Service</th>
                  <th>Health</th>
                  <th class="n">Requests/s</th>
                  <th class="n">Success</th>
                  <th class="n">p50</th>
                  <th class="n">p99</th>
                  <th class="n">Last minute</th>
                </tr>
              </thead>
              <tbody>{mesh.services.map((row) => <Service row={row} />)}</tbody>
            </table>
          )}
      </div>
    </section>
  );
}

function Service({ row }: { row: ServiceRow }): Child {
  const { signals } = row;
  return (
    <tr>
      <td>
        <strong>{row.name}</strong>
        <small>{row.namespace}</small>
      </td>
      <td data-label="Health">
        <div>
          <span class={`chip ${HEALTH[row.health]}`}>{row.health}</span>
          <small>{row.ready} of {row.workloads} ready</small>
        </div>
      </td>
      <td class="n" data-label="Requests/s">{show.rate(signals.requestsPerSecond)}</td>
      <td class="n" data-label="Success">{show.percent(signals.successRate)}</td>
      <td class="n" data-label="p50">{show.millis(signals.p50Ms)}</td>
      <td class="n" data-label="p99">{show.millis(signals.p99Ms)}</td>
      <td class="n" data-label="Last minute">
        <Spark history={signals.history} label={`Requests per second of ${row.name}`} />
      </td>
    </tr>
  );
}

/** A line of the last minute; flat on the ground when nothing was asked. */
function Spark({ history, label }: { history: readonly number[]; label: string }): Child {
  const top = Math.max(1, ...history);
  const step = 96 / Math.max(1, history.length - 1);
  const points = history.map((value, n) =>
    `${(n * step).toFixed(1)},${(22 - value / top * 20).toFixed(1)}`
  ).join(" ");
  return (
    <svg class="spark" viewBox="0 0 96 24" role="img" aria-label={label}>
      <polyline points={history.length < 2 ? "0,22 96,22" : points} />
    </svg>
  );
}
