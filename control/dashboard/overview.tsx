/** `/`: services, who calls whom, proxies, filters and revisions as they are now. */
import type { Child } from "hono/jsx";
import * as show from "./format.ts";
import { Graph } from "./graph.tsx";
import type { FilterRow, Overview, ProxyRow, RevisionRow, ServiceRow } from "./model.ts";

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

const PROXY: Readonly<Record<ProxyRow["state"], string>> = {
  "in force": "good",
  behind: "warn",
  refused: "bad",
  away: "bad",
};

function Proxies({ mesh }: { mesh: Overview }): Child {
  return (
    <section id="proxies" aria-labelledby="proxies-h" data-live>
      <h2 id="proxies-h">
        Proxies <small>sidecars and gateways that hold a stream to this control plane</small>
      </h2>
      <div class="sheet">
        {mesh.proxies.length === 0 ? <p class="empty">No proxy has joined yet.</p> : (
          <table>
            <thead>
              <tr>
                <th>Proxy</th>
                <th>Configuration</th>
                <th>Version</th>
                <th class="n">Certificate ends</th>
                <th class="n">Memory</th>
                <th class="n">Up for</th>
              </tr>
            </thead>
            <tbody>{mesh.proxies.map((row) => <Proxy row={row} nowMs={mesh.nowMs} />)}</tbody>
          </table>
        )}
      </div>
    </section>
  );
}

function Proxy({ row, nowMs }: { row: ProxyRow; nowMs: number }): Child {
  return (
    <tr>
      <td>
        <strong>{row.name}</strong>{" "}
        <span class="quiet">{[row.kind, ...row.labels].join(" · ")}</span>
        <small class="mono">{row.identity}</small>
      </td>
      <td data-label="Configuration">
        <div>
          <span class={`chip ${PROXY[row.state]}`}>{row.state}</span>
          {row.reason === "" ? "" : <span class="why">{row.reason}</span>}
        </div>
      </td>
      <td data-label="Version">
        <code>{row.version === "" ? show.UNKNOWN : show.short(row.version)}</code>
      </td>
      <td class="n" data-label="Certificate ends">{show.until(row.certExpiresMs, nowMs)}</td>
      <td class="n" data-label="Memory">{show.bytes(row.rssBytes)}</td>
      <td class="n" data-label="Up for">
        {row.uptimeMs === null ? show.UNKNOWN : show.duration(row.uptimeMs)}
      </td>
    </tr>
  );
}

const FILTER: Readonly<Record<FilterRow["state"], string>> = {
  running: "good",
  "backing-off": "warn",
  tripped: "bad",
  bound: "",
};

function Filters({ rows }: { rows: readonly FilterRow[] }): Child {
  return (
    <section id="filters" aria-labelledby="filters-h" data-live>
      <h2 id="filters-h">
        Filters{" "}
        <small>Wasm modules bound to services, routes and gateways, and what they cost</small>
      </h2>
      <div class="sheet">
        {rows.length === 0
          ? (
            <p class="empty">
              No filter is bound. See what there is: <a href="/filters">filters</a>.
            </p>
          )
          : (
            <table>
              <thead>
                <tr>
                  <th>Binding</th>
                  <th>State</th>
                  <th class="n">Calls</th>
                  <th class="n">Fuel/call</th>
                  <th class="n">Time/call</th>
                  <th class="n">Memory</th>
                  <th class="n">Traps</th>
                </tr>
              </thead>
              <tbody>{rows.map((row) => <Filter row={row} />)}</tbody>
            </table>
          )}
      </div>
    </section>
  );
}

function Filter({ row }: { row: FilterRow }): Child {
  return (
    <tr>
      <td>
        <strong>{row.binding}</strong>
        <small>
          {row.module === "" ? "by digest" : <a href={`/filters/${row.module}`}>{row.module}</a>}
          {" "}
          {row.version}
        </small>
      </td>
      <td data-label="State">
        <div>
          <span class={`chip ${FILTER[row.state]}`}>{row.state}</span>
          <small>in {row.proxies} {row.proxies === 1 ? "proxy" : "proxies"}</small>
          {row.lastTrap === "" ? "" : <span class="why">{row.lastTrap}</span>}
        </div>
      </td>
      <td class="n" data-label="Calls">{show.count(row.calls)}</td>
      <td class="n" data-label="Fuel/call">{show.count(row.fuelPerCall)}</td>
      <td class="n" data-label="Time/call">{show.micros(row.usPerCall)}</td>
      <td class="n" data-label="Memory">{show.bytes(row.memoryBytes)}</td>
      <td class="n" data-label="Traps">{show.count(row.traps)}</td>
    </tr>
  );
}

function Revisions({ rows, nowMs }: { rows: readonly RevisionRow[]; nowMs: number }): Child {
  return (
    <section id="revisions" aria-labelledby="revisions-h" data-live>
      <h2 id="revisions-h">
        Revisions{" "}
        <small>
          back to one: <code>denim rollback N</code>
        </small>
      </h2>
      <div class="sheet">
        {rows.length === 0 ? <p class="empty">Nothing has been applied yet.</p> : (
          <table>
            <thead>
              <tr>
                <th>Revision</th>
                <th>What</th>
                <th>Changes</th>
                <th class="n">When</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr>
                  <td>
                    <strong>{row.revision}</strong>
                  </td>
                  <td data-label="What">
                    <div>
                      {row.message === "" ? "no message" : row.message}
                      <small>{row.author}</small>
                    </div>
                  </td>
                  <td data-label="Changes">
                    <div>
                      <span class="quiet">{changed(row.changes)}</span>
                    </div>
                  </td>
                  <td class="n" data-label="When">
                    <time datetime={new Date(row.createdMs).toISOString()}>
                      {show.ago(row.createdMs, nowMs)}
                    </time>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </section>
  );
}

const TOLD_CHANGES = 4;

function changed(changes: readonly string[]): string {
  if (changes.length === 0) return "none";
  const rest = changes.length - TOLD_CHANGES;
  return changes.slice(0, TOLD_CHANGES).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
