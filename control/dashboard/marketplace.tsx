/** `/filters` and `/filters/:publisher/:name`: what is admitted, what it may do, what it costs. */
import type { Child } from "hono/jsx";
import type { FilterBinding } from "../schema/filter_binding.ts";
import type { Listing } from "../market/types.ts";
import * as show from "./format.ts";

const LANGUAGES: Readonly<Record<string, string>> = {
  typescript: "TypeScript",
  assemblyscript: "AssemblyScript",
  wat: "WAT",
  rust: "Rust",
  go: "Go",
  c: "C/C++",
  unknown: "language unknown",
};

export function MarketplacePage({ listings }: { listings: readonly Listing[] }): Child {
  return (
    <>
      <h1>Filters</h1>
      <p class="lead">
        Every filter here was checked once by this control plane before any proxy saw it: signature
        verified, module scanned, fuel counting built in, test-loaded and measured. What it hooks
        and may touch is read from the module itself.
      </p>
      {listings.length === 0
        ? (
          <p class="empty">
            No filter is admitted yet. Build and push one:{" "}
            <code>denim filter build my-filter</code>, then <code>denim filter push my-filter</code>
          </p>
        )
        : <ul class="cards">{listings.map((listing) => <Card listing={listing} />)}</ul>}
    </>
  );
}

function Card({ listing }: { listing: Listing }): Child {
  return (
    <li class="card">
      <div>
        <h2>
          <a href={`/filters/${listing.name}`}>
            {listing.title === "" ? listing.name : listing.title}
          </a>
        </h2>
        <p class="by">{listing.name} {listing.version}, by {listing.publisher}</p>
      </div>
      {listing.summary === "" ? "" : <p>{listing.summary}</p>}
      <ul class="tags">
        <li class="tag">{languageOf(listing)}</li>
        <li class="tag">{listing.abiVersion}</li>
        <li class="tag">{listing.phase}</li>
        {listing.warnings.length === 0 ? "" : (
          <li class="chip warn">
            {listing.warnings.length === 1 ? "1 warning" : `${listing.warnings.length} warnings`}
          </li>
        )}
      </ul>
      <dl>
        <dt>Signature</dt>
        <dd>
          <span class="signed">{listing.signature.state}</span> <code>{listing.signature.key}</code>
        </dd>
        <dt>Hooks</dt>
        <dd>{listed(listing.hooks)}</dd>
        <dt>May touch</dt>
        <dd>
          <Capabilities names={listing.capabilities} />
        </dd>
        <dt>Costs</dt>
        <dd>
          {show.count(listing.measured.fuelPerCall)} fuel and{" "}
          {show.micros(listing.measured.usPerCall)} a call
        </dd>
      </dl>
      <Command text={listing.install} label={`Command that installs ${listing.name}`} />
    </li>
  );
}

export interface DetailProps {
  readonly listing: Listing;
  /** All versions, newest first. */
  readonly versions: readonly Listing[];
  /** Where it is bound. */
  readonly bindings?: readonly FilterBinding[];
  readonly nowMs: number;
}

export function FilterPage({ listing, versions, bindings = [], nowMs }: DetailProps): Child {
  return (
    <>
      <p class="crumb">
        <a href="/filters">Filters</a>
      </p>
      <h1>{listing.title === "" ? listing.name : listing.title}</h1>
      <p class="lead">{listing.summary}</p>
      {listing.warnings.map((warning) => <p class="note">{warning}</p>)}
      <div class="split">
        <div>
          <section>
            <h2>Install</h2>
            <Command text={listing.install} label="Command that installs it" />
          </section>
          {listing.description === "" ? "" : (
            <section class="prose">
              <h2>About</h2>
              {listing.description.split(/\n\s*\n/).map((part) => <p>{part}</p>)}
            </section>
          )}
          <section>
            <h2>Binding</h2>
            <pre class="block" tabindex={0}><code>{listing.binding}</code></pre>
          </section>
          <Versions versions={versions} current={listing} nowMs={nowMs} />
        </div>
        <div>
          <section>
            <h2>What it may do</h2>
            <div class="panel">
              <Rights listing={listing} />
            </div>
            {bindings.length === 0 ? "" : (
              <div class="panel">
                <dl>{bindings.map((one) => <Grants listing={listing} binding={one} />)}</dl>
              </div>
            )}
          </section>
          <section>
            <h2>
              What it costs <small>on the reference trace</small>
            </h2>
            <div class="panel">
              <Costs listing={listing} />
            </div>
          </section>
          <section>
            <h2>Where it comes from</h2>
            <div class="panel">
              <Origin listing={listing} />
            </div>
          </section>
        </div>
      </div>
    </>
  );
}

function Rights({ listing }: { listing: Listing }): Child {
  return (
    <dl class="facts">
      <dt>Hooks</dt>
      <dd>{listed(listing.hooks)}</dd>
      <dt>May touch</dt>
      <dd>{listed(listing.touches)}</dd>
      <dt>Asks for</dt>
      <dd>
        <Capabilities names={listing.capabilities} />
      </dd>
      <dt>Cannot work without</dt>
      <dd>{listed(listing.required ?? [])}</dd>
      <dt>Names it asks for</dt>
      <dd>{permissionText(listing.permissions)}</dd>
      <dt>Phase</dt>
      <dd>{listing.phase}</dd>
      <dt>Limits</dt>
      <dd>
        {show.count(listing.limits.fuelPerCall)} fuel a call, {listing.limits.memoryMiB} MiB
      </dd>
    </dl>
  );
}

function Capabilities({ names }: { names: readonly string[] }): Child {
  if (names.length === 0) return <>nothing</>;
  return (
    <ul class="tags">
      {names.map((one) => (
        <li class="tag">
          <code>{one}</code>
        </li>
      ))}
    </ul>
  );
}

function Costs({ listing }: { listing: Listing }): Child {
  const { measured } = listing;
  return (
    <dl class="facts">
      <dt>Fuel a call</dt>
      <dd>
        {show.count(measured.fuelPerCall)} at most, {show.count(measured.fuelMean)} on average
      </dd>
      <dt>Time a call</dt>
      <dd>{show.micros(measured.usPerCall)}</dd>
      <dt>Time a request</dt>
      <dd>{show.micros(measured.usPerExchange)}</dd>
      <dt>Memory</dt>
      <dd>{show.bytes(measured.memoryBytes)}</dd>
      <dt>Start</dt>
      <dd>{show.millis(measured.instantiateMs)}</dd>
      <dt>Traps</dt>
      <dd>{measured.traps}</dd>
      <dt>Size</dt>
      <dd>
        {show.bytes(listing.bytes)} admitted, {show.bytes(listing.originalBytes)} as pushed
      </dd>
    </dl>
  );
}

function Origin({ listing }: { listing: Listing }): Child {
  return (
    <dl class="facts">
      <dt>Publisher</dt>
      <dd>{listing.publisher}</dd>
      <dt>Signature</dt>
      <dd>
        <span class="signed">{listing.signature.state}</span>, key{" "}
        <code>{listing.signature.key}</code>
      </dd>
      <dt>Language</dt>
      <dd>{languageOf(listing)}</dd>
      <dt>ABI</dt>
      <dd>{listing.abiVersion}</dd>
      <dt>License</dt>
      <dd>{listing.license === "" ? show.UNKNOWN : listing.license}</dd>
      {Object.entries(listing.links).map(([name, href]) => {
        const safe = show.webLink(href);
        return safe === null ? "" : (
          <>
            <dt>{name}</dt>
            <dd>
              <a href={safe} rel="noreferrer noopener">{safe}</a>
            </dd>
          </>
        );
      })}
      <dt>Admitted</dt>
      <dd>
        <code>{listing.digest}</code>
      </dd>
      <dt>Pushed</dt>
      <dd>
        <code>{listing.originalDigest}</code>
      </dd>
      <dt>Metered by</dt>
      <dd>{listing.instrumenter}</dd>
    </dl>
  );
}

function Versions({ versions, current, nowMs }: {
  versions: readonly Listing[];
  current: Listing;
  nowMs: number;
}): Child {
  return (
    <section>
      <h2>Versions</h2>
      <div class="sheet">
        <table>
          <thead>
            <tr>
              <th>Version</th>
              <th>Digest</th>
              <th class="n">Time/call</th>
              <th class="n">Admitted</th>
            </tr>
          </thead>
          <tbody>
            {versions.map((one) => (
              <tr>
                <td>
                  <a
                    href={`/filters/${one.name}?version=${encodeURIComponent(one.version)}`}
                    aria-current={one.version === current.version ? "true" : undefined}
                  >
                    {one.version}
                  </a>
                </td>
                <td data-label="Digest">
                  <code>{show.short(one.digest)}</code>
                </td>
                <td class="n" data-label="Time/call">{show.micros(one.measured.usPerCall)}</td>
                <td class="n" data-label="Admitted">{show.ago(one.admittedMs, nowMs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Command({ text, label }: { text: string; label: string }): Child {
  return (
    <div class="run">
      <pre tabindex={0} aria-label={label}><code>{text}</code></pre>
    </div>
  );
}

function languageOf(listing: Listing): string {
  return LANGUAGES[listing.language] ?? listing.language;
}

/** What one binding grants of what is asked. */
function Grants({ listing, binding }: { listing: Listing; binding: FilterBinding }): Child {
  const granted = new Set<string>(binding.spec.capabilities ?? []);
  const lacking = listing.capabilities.filter((one) => !granted.has(one));
  return (
    <>
      <dt>Granted by {binding.metadata.namespace}/{binding.metadata.name}</dt>
      <dd>
        {listed([...granted])}
        {lacking.length === 0 ? "" : `; not ${lacking.join(", ")}`}
        ; {permissionText(binding.spec.permissions as Listing["permissions"])}
      </dd>
    </>
  );
}

/** `read authorization, x-*; write *`: lists a manifest leaves out are all but credentials. */
function permissionText(given: Listing["permissions"]): string {
  if (given === undefined) return "all but credentials";
  const { headers = {}, ...others } = given;
  const lists: [string, readonly string[] | undefined][] = [
    ["read headers", headers.read],
    ["write headers", headers.write],
    ["remove headers", headers.remove],
    ["properties", others.properties],
    ["shared data", others.sharedData],
    ["metrics", others.metrics],
  ];
  return lists.flatMap(([what, names]) =>
    names === undefined ? [] : [`${what}: ${names.length === 0 ? "none" : names.join(", ")}`]
  ).join("; ");
}

function listed(items: readonly string[]): string {
  return items.length === 0 ? "nothing" : items.join(", ");
}
