/** `/audit`: what was done and what was refused, for admins. */
import type { Child } from "hono/jsx";
import type { AuditEntry } from "../audit/log.ts";
import * as show from "./format.ts";

const TONE: Readonly<Record<AuditEntry["result"], string>> = {
  done: "good",
  refused: "bad",
  failed: "warn",
};

export function AuditPage(
  { entries, nowMs }: { entries: readonly AuditEntry[]; nowMs: number },
): Child {
  return (
    <>
      <h1>Audit log</h1>
      <p class="lead">
        Changes and refused attempts, the newest first. All of it: <code>denim audit log</code>
      </p>
      <section id="audit" aria-label="Entries" data-live>
        <div class="sheet">
          {entries.length === 0 ? <p class="empty">Nothing was done or tried yet.</p> : (
            <table>
              <thead>
                <tr>
                  <th>When</th>
                  <th>Who</th>
                  <th>What</th>
                  <th>Result</th>
                </tr>
              </thead>
              <tbody>{entries.map((one) => <Row entry={one} nowMs={nowMs} />)}</tbody>
            </table>
          )}
        </div>
      </section>
    </>
  );
}

function Row({ entry, nowMs }: { entry: AuditEntry; nowMs: number }): Child {
  const { time, who, proof, from, what, target, result, code } = entry;
  return (
    <tr>
      <td data-label="When">
        <time dateTime={time}>{show.ago(Date.parse(time), nowMs)}</time>
      </td>
      <td data-label="Who">
        <div>
          <strong>{who}</strong>
          <small>{proof}{from === "" ? "" : `, ${from}`}</small>
        </div>
      </td>
      <td data-label="What">
        <div>
          {what}
          <small>{target}</small>
        </div>
      </td>
      <td data-label="Result">
        <div>
          <span class={`chip ${TONE[result]}`}>{result}</span>
          <small>{code}</small>
        </div>
      </td>
    </tr>
  );
}
