/** The stylesheet of the pages: indigo cloth, a copper stitch, figures that line up. No external assets. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #f7f6f2; --card: #ffffff; --ink: #1b2540; --soft: #5b6580; --line: #dfdfe6;
  --indigo: #2b3f7e; --indigo-deep: #1d2b57; --stitch: #b4642d; --weave: #eceef6;
  --good: #1f7a4d; --warn: #96600a; --bad: #b3261e;
  --good-bg: #e2f3ea; --warn-bg: #fbefd8; --bad-bg: #fbe4e2; --idle-bg: #ecedf2;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #10162a; --card: #171f38; --ink: #e7eaf4; --soft: #9aa5c3; --line: #2a3454;
    --indigo: #9db2f2; --indigo-deep: #0b1020; --stitch: #e0955c; --weave: #1e2846;
    --good: #6fd3a0; --warn: #efc06b; --bad: #ff9b92;
    --good-bg: #16382a; --warn-bg: #3d2f12; --bad-bg: #45201f; --idle-bg: #232c49;
  }
}
*, *::before, *::after { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums;
}
a { color: var(--indigo); text-underline-offset: .18em; text-decoration-thickness: 1px }
a:hover { text-decoration-thickness: 2px }
:focus-visible { outline: 2px solid var(--stitch); outline-offset: 3px; border-radius: 3px }
code, pre, .mono { font-family: var(--mono); font-size: .88em }
h1, h2, h3, p { margin: 0 }
.skip { position: absolute; left: -99rem }
.skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .4rem .8rem; z-index: 2 }
.wide { max-width: 80rem; margin: 0 auto; padding: 0 1.5rem }

/* Head: dark cloth with one seam. */
.top { background: #1d2b57; color: #fff; border-bottom: 2px dashed #e0955c }
.top .wide { display: flex; align-items: center; gap: .6rem 1.8rem; min-height: 4rem; flex-wrap: wrap }
.top a { color: #fff; text-decoration: none }
.brand { display: flex; align-items: center; gap: .65rem; font-weight: 680; font-size: 1.15rem; letter-spacing: .01em }
.brand svg { display: block }
.top nav { display: flex; gap: .25rem; margin-right: auto }
.top nav a { padding: .35rem .8rem; border-radius: 6px; color: #cdd6f3 }
.top nav a:hover { color: #fff; background: #2b3c73 }
.top nav a[aria-current] { color: #fff; background: #2f427f }
.domain, .who { color: #b9c4ea; font-size: .88rem }
.who { display: flex; gap: .7rem; align-items: center }
.who button { font: inherit; color: #fff; background: #2b3c73; border: 1px solid #4a5c9a; border-radius: 6px; padding: .2rem .7rem; cursor: pointer }
.live {
  font: inherit; font-size: .85rem; color: #fff; background: none; border: 1px solid #5468a8; border-radius: 99px;
  padding: .22rem .8rem; cursor: pointer; display: inline-flex; align-items: center; gap: .45rem
}
.live::before { content: ""; width: .5rem; height: .5rem; border-radius: 50%; background: #7d8bb8 }
.live[aria-pressed=true]::before { background: #6fd3a0 }
.live:hover { background: #2b3c73 }
.live[hidden] { display: none }

main { padding: 1.8rem 0 4rem }
section { margin-top: 2.4rem }
section > h2, .sub { font-size: 1.05rem; font-weight: 650; display: flex; align-items: baseline; gap: .6rem; margin-bottom: .7rem }
section > h2 small { font-weight: 400; color: var(--soft); font-size: .85rem }
.lead { color: var(--soft); max-width: 46rem; margin-top: .3rem }
h1, .card h2 { overflow-wrap: anywhere }
h1 { font-size: 1.5rem; font-weight: 680; letter-spacing: -.01em; line-height: 1.25 }

/* Figures at the top. */
.figures { display: grid; grid-template-columns: repeat(4, 1fr); background: var(--card); border: 1px solid var(--line); border-radius: 10px; margin: 0 }
.figures > div { padding: 1rem 1.3rem; border-left: 1px solid var(--line) }
.figures > div:first-child { border-left: 0 }
.figures dt { color: var(--soft); font-size: .84rem }
.figures dd { margin: .1rem 0 0; font-size: 1.65rem; font-weight: 640; letter-spacing: -.02em; line-height: 1.2 }
.figures dd small { display: block; font-size: .82rem; font-weight: 400; letter-spacing: 0; color: var(--soft); margin-top: .15rem; overflow-wrap: anywhere }

/* Tables; on a phone every row is a card with its column names beside the values. */
.sheet { background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: hidden }
table { width: 100%; border-collapse: collapse }
th { text-align: left; font-weight: 500; font-size: .8rem; color: var(--soft); padding: .6rem 1rem .5rem; border-bottom: 1px solid var(--line); white-space: nowrap }
td { padding: .62rem 1rem; border-top: 1px solid var(--line); vertical-align: top }
tbody tr:first-child td { border-top: 0 }
th.n, td.n { text-align: right; white-space: nowrap }
td strong { font-weight: 620 }
td small, .quiet { color: var(--soft); font-size: .84rem }
td small { display: block; overflow-wrap: anywhere }
#audit td:first-child, #audit td:last-child small { white-space: nowrap }
td small.mono { white-space: nowrap }
.why { display: block; color: var(--bad); font-size: .86rem; margin-top: .2rem; overflow-wrap: anywhere }
.empty { padding: 1.4rem 1.3rem; color: var(--soft) }
.empty code { color: var(--ink) }
.spark { display: block; width: 96px; height: 24px; overflow: visible; margin-left: auto }
.spark polyline { fill: none; stroke: var(--indigo); stroke-width: 1.5; stroke-linejoin: round }

.chip { display: inline-flex; align-items: center; gap: .4rem; padding: .08rem .6rem; border-radius: 99px; font-size: .82rem; white-space: nowrap; background: var(--idle-bg); color: var(--soft) }
.chip::before { content: ""; width: .45rem; height: .45rem; border-radius: 50%; background: currentColor }
.chip.good { background: var(--good-bg); color: var(--good) }
.chip.warn { background: var(--warn-bg); color: var(--warn) }
.chip.bad { background: var(--bad-bg); color: var(--bad) }
.tag { display: inline-block; padding: .05rem .5rem; border: 1px solid var(--line); border-radius: 5px; font-size: .8rem; color: var(--soft); background: var(--weave); white-space: nowrap }
.tags { display: flex; flex-wrap: wrap; gap: .3rem .35rem; list-style: none; margin: 0; padding: 0 }

/* The graph of who calls whom. */
.graph { padding: 1.1rem .9rem; overflow-x: auto }
.graph svg { display: block; margin: 0 auto; max-width: none }
.graph rect { fill: var(--weave); stroke: var(--indigo); stroke-width: 1.2 }
.graph rect.bad { stroke: var(--bad); fill: var(--bad-bg) }
.graph path { fill: none; stroke: var(--stitch); stroke-width: 1.8; stroke-dasharray: 6 4 }
.graph path.bad { stroke: var(--bad) }
.graph path.idle { stroke: var(--line) }
.graph text { fill: var(--ink); font-size: 14px }
.graph text.soft { fill: var(--soft); font-size: 12px }
@media (prefers-reduced-motion: no-preference) {
  .graph path.flows { animation: sew 1.2s linear infinite }
  @keyframes sew { to { stroke-dashoffset: -20 } }
}

/* Marketplace. */
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 1.1rem; list-style: none; margin: 1.4rem 0 0; padding: 0 }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.15rem 1.25rem 1.1rem; display: flex; flex-direction: column; gap: .7rem }
.card h2 { font-size: 1.08rem; font-weight: 650; line-height: 1.3 }
.card h2 a { color: inherit; text-decoration: none }
.card h2 a:hover { text-decoration: underline }
.card .by { color: var(--soft); font-size: .86rem; overflow-wrap: anywhere }
.card dl, .facts { display: grid; grid-template-columns: max-content 1fr; gap: .3rem .9rem; margin: 0; font-size: .9rem }
.card dt, .facts dt { color: var(--soft) }
.card dd, .facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere }
.card .run { margin-top: auto }
.signed { color: var(--good) }
.run { position: relative }
.run pre, pre.block { margin: 0; background: var(--weave); border-radius: 7px; padding: .6rem .8rem; overflow-x: auto; line-height: 1.5 }
.run pre { padding-right: 4.2rem; white-space: pre-wrap; overflow-wrap: anywhere }
.copy { position: absolute; top: .38rem; right: .38rem; font: inherit; font-size: .78rem; padding: .1rem .55rem; border: 1px solid var(--line); border-radius: 5px; background: var(--card); color: var(--soft); cursor: pointer }
.copy:hover { color: var(--ink) }
.note { border-left: 3px solid var(--warn); background: var(--warn-bg); padding: .5rem .8rem; border-radius: 0 7px 7px 0; margin-top: .6rem }
.split { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 0 2.2rem; align-items: start }
.panel { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.1rem 1.25rem }
.prose p + p { margin-top: .7rem }
.crumb { font-size: .88rem; margin-bottom: .5rem }
footer { color: var(--soft); font-size: .84rem; border-top: 1px solid var(--line); padding: 1rem 0 2rem }

@media (max-width: 900px) { .split { grid-template-columns: minmax(0, 1fr) } }
@media (max-width: 700px) {
  .wide { padding: 0 1rem }
  .top .wide { padding-top: .7rem; padding-bottom: .7rem; gap: .5rem .9rem }
  .brand { margin-right: auto }
  .top nav { order: 3; width: 100%; margin: 0 -.3rem }
  .domain { display: none }
  main { padding-top: 1.1rem }
  .figures { grid-template-columns: 1fr 1fr }
  .figures > div { padding: .8rem 1rem }
  .figures > div:nth-child(odd) { border-left: 0 }
  .figures > div:nth-child(n+3) { border-top: 1px solid var(--line) }
  .figures dd { font-size: 1.4rem }
  .cards { grid-template-columns: minmax(0, 1fr) }
  table, tbody, td { display: block }
  thead { position: absolute; left: -99rem }
  tr { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .45rem .8rem; padding: .85rem 1rem; border-top: 1px solid var(--line) }
  tbody tr:first-child { border-top: 0 }
  td, td.n { padding: 0; border: 0; text-align: left; white-space: normal; min-width: 0 }
  td:not(.n) { grid-column: 1 / -1 }
  td.n::before { content: attr(data-label); display: block; color: var(--soft); font-size: .8rem; line-height: 1.3 }
  td:not(.n)[data-label] { display: flex; gap: .9rem }
  td:not(.n)[data-label]::before { content: attr(data-label); color: var(--soft); font-size: .84rem; flex: 0 0 6.4rem }
  td > div { min-width: 0; overflow-wrap: anywhere }
  td small.mono { white-space: normal; font-size: .78em }
  .spark { margin: 0 }
}
`;
