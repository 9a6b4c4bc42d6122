"""How a dashboard's page looks, on a screen and on paper; without any file beside it."""

FRAME_STYLES = """
.flip-head { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; background: #005eb8;
  color: #fff; padding: .6rem max(1rem, calc(50vw - 26rem)); font: .95rem/1.6 system-ui, -apple-system, "Segoe UI",
  Roboto, Arial, sans-serif; }
.flip-head p { margin: 0; } .flip-head .hub { font-weight: 600; }
.flip-foot { border-top: 1px solid #d8dde0; color: #4c6272; font: .9rem/1.6 system-ui, -apple-system, "Segoe UI",
  Roboto, Arial, sans-serif; }
.flip-foot p { max-width: 54rem; margin: 0 auto; padding: .9rem 1rem 1.5rem; }
#loading_text { max-width: 54rem; margin: 0 auto; padding: .75rem 1rem 0; color: #4c6272; font: .95rem/1.6 system-ui,
  -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
body { margin: 0; }
@media print {
  .flip-head { background: none; color: #4c6272; padding: 0 0 2mm; border-bottom: .5pt solid #d8dde0; font-size: 9pt; }
  .flip-foot { font-size: 8.5pt; } .flip-foot p { padding: 3mm 0 0; }
  #loading_text { display: none; }
}
"""
"""What stands around a dashboard, drawn or with controls."""

PAGE_STYLES = """
:root, :host { --ink: #212b32; --calm: #4c6272; --line: #d8dde0; --blue: #005eb8; }
* { box-sizing: border-box; }
html, :host { font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; color: var(--ink); }
body { margin: 0; background: #fff; overflow-wrap: break-word; }
main { max-width: 54rem; margin: 0 auto; padding: 1.5rem 1rem 2.5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.25rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
p, ul, ol { margin: 0 0 .9rem; max-width: 46rem; }
a { color: var(--blue); } a.anchor-link { display: none; }
img, svg { max-width: 100%; height: auto; }
figure { margin: 1rem 0; } figcaption { color: var(--calm); font-size: .95rem; }
.shown, pre { overflow-x: auto; }
pre { font: .9rem/1.5 ui-monospace, Menlo, Consolas, monospace; margin: 0 0 1rem; white-space: pre-wrap; }
table { border-collapse: collapse; font-size: .95rem; margin: .75rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); }
/* a table of many columns: its own cells are wider */
.shown table:has(th:nth-child(8)) :is(th, td) { font-size: .85rem; padding-inline: 0 .6em !important; }
th { font-weight: 600; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .35rem; }
.failed, .left-out { border-left: .3rem solid #b5510c; padding: .4rem 0 .4rem .9rem; color: var(--ink); }
.left-out { border-color: var(--blue); }
@page { size: A4; margin: 18mm 16mm 20mm; }
@media print {
  html, :host { font-size: 10.5pt; line-height: 1.45; }
  main { max-width: none; padding: 4mm 0 0; } p, ul, ol { max-width: none; }
  h1 { font-size: 20pt; } h2 { font-size: 13.5pt; margin-top: 7mm; }
  h1, h2, h3 { break-after: avoid; } figure, tr, .shown img, .failed { break-inside: avoid; }
  thead { display: table-header-group; } p { orphans: 3; widows: 3; }
  .shown table:has(th:nth-child(8)) :is(th, td) { font-size: 7.5pt; padding-inline: 0 .4em !important; }
  .shown table:has(th:nth-child(8)) td { overflow-wrap: anywhere; }
  .shown, pre { overflow: visible; } a { color: inherit; }
}
"""
