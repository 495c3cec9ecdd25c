/** The tables of the overview: proxies with what they hold, filters with what they cost, revisions. */
import type { Child } from "hono/jsx";
import * as show from "./format.ts";
import type { FilterRow, Overview, ProxyRow, RevisionRow } from "./model.ts";

const PROXY: Readonly<Record<ProxyRow["state"], string>> = {
  "in force": "good",
  behind: "warn",
  refused: "bad",
  away: "bad",
};

export function Proxies({ mesh }: { mesh: Overview }): Child {
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

export function Filters({ rows }: { rows: readonly FilterRow[] }): Child {
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
          {row.refused === ""
            ? ""
            : <span class="why">newest configuration refused: {row.refused}</span>}
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

export function Revisions({ rows, nowMs }: { rows: readonly RevisionRow[]; nowMs: number }): Child {
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
