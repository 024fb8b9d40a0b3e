"""The style sheet of the report. It names no fonts or pictures from elsewhere."""

from __future__ import annotations

STYLE = """
:root { --ink: #1f2933; --soft: #52606d; --line: #dfe3e8; --ground: #f5f7fa; --main: #0072b2; --alert: #b34700; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; color: var(--ink); background: #fff; font: 16px/1.6 system-ui, -apple-system, "Segoe UI", "Liberation Sans",
  "DejaVu Sans", sans-serif; overflow-wrap: break-word; }
.page { max-width: 1240px; margin: 0 auto; padding: 0 28px 64px; display: grid; grid-template-columns: 216px minmax(0, 1fr);
  column-gap: 44px; }
header { grid-column: 1 / -1; padding: 44px 0 22px; border-bottom: 1px solid var(--line); margin-bottom: 28px; }
header .kind { color: var(--main); font-size: 13px; font-weight: 600; letter-spacing: .06em; text-transform: uppercase; margin: 0; }
h1 { font-size: 33px; line-height: 1.2; margin: 4px 0 10px; letter-spacing: -.01em; }
h2 { font-size: 23px; line-height: 1.3; margin: 52px 0 10px; padding-top: 6px; }
h3 { font-size: 17px; margin: 30px 0 6px; }
main > section:first-child > h2 { margin-top: 0; }
p { margin: 0 0 12px; max-width: 76ch; }
.lead { font-size: 18px; color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: 12px 34px; margin: 20px 0 0; padding: 0; }
.facts div { min-width: 84px; }
.facts dt { font-size: 13px; color: var(--soft); }
.facts dd { margin: 0; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.25; }
nav { position: sticky; top: 20px; align-self: start; font-size: 14px; max-height: calc(100vh - 40px); overflow: auto; }
nav p { font-weight: 600; margin-bottom: 6px; }
nav ol { list-style: none; margin: 0; padding: 0; border-left: 2px solid var(--line); }
nav a { display: block; padding: 4px 0 4px 12px; color: var(--soft); text-decoration: none; line-height: 1.35; }
nav a:hover, nav a:focus { color: var(--main); }
figure { margin: 24px 0 32px; }
figure img { display: block; max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 6px; }
figcaption, caption { font-size: 14.5px; color: var(--soft); text-align: left; max-width: 80ch; }
figcaption { margin-top: 8px; }
figcaption b, caption b { color: var(--ink); }
.scroll { overflow-x: auto; margin: 18px 0 28px; }
table { border-collapse: collapse; font-size: 14.5px; font-variant-numeric: tabular-nums; min-width: 40%; }
caption { padding-bottom: 8px; }
th, td { padding: 6px 14px 6px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; border-bottom: 1.5px solid #9aa5b1; vertical-align: bottom; line-height: 1.3; }
tbody th { min-width: 8.5em; border-bottom: 1px solid var(--line); font-weight: 600; vertical-align: top; }
td small { display: block; color: var(--soft); font-size: 12.5px; }
th small { font-weight: 400; color: var(--soft); display: block; }
td.number, th.number { text-align: right; }
td.number { white-space: nowrap; }
tr.total td, tr.total th { font-weight: 700; border-top: 1.5px solid #9aa5b1; }
.note { font-size: 14px; color: var(--soft); }
.holds, .fails { font-weight: 700; white-space: nowrap; }
.holds { color: #00664b; }
.fails { color: var(--alert); }
.box { background: var(--ground); border-left: 4px solid var(--main); border-radius: 0 6px 6px 0; padding: 14px 18px 4px; margin: 18px 0; }
.box.alert { border-color: var(--alert); background: #fff6ef; }
.box ul { margin: 0 0 12px; padding-left: 20px; }
.counts { display: flex; flex-wrap: wrap; gap: 8px 26px; margin: 0 0 14px; font-size: 15px; }
.count b { font-size: 22px; font-variant-numeric: tabular-nums; }
.count small { color: var(--soft); }
.count.error b { color: #b3261e; }
.count.warning b { color: var(--alert); }
.count.note b { color: var(--main); }
.finding { border-left: 4px solid var(--main); background: var(--ground); border-radius: 0 6px 6px 0; padding: 10px 18px 2px;
  margin: 10px 0; }
.finding p { margin-bottom: 8px; max-width: 92ch; }
.finding .mend { color: var(--soft); }
.finding.error { border-color: #b3261e; background: #fdf3f2; }
.finding.warning { border-color: var(--alert); background: #fff8f1; }
.finding code { color: var(--soft); }
.badge { display: inline-block; color: #fff; background: var(--main); border-radius: 4px; padding: 1px 8px; font-size: 12px;
  font-weight: 600; letter-spacing: .04em; text-transform: uppercase; margin-right: 4px; }
.badge.error { background: #b3261e; }
.badge.warning { background: var(--alert); }
details { margin: 14px 0; }
summary { cursor: pointer; color: var(--main); font-weight: 600; }
.status { white-space: nowrap; }
.status.clean { color: #00664a; }
.status.found { color: var(--alert); font-weight: 600; }
.status.not_applicable { color: var(--soft); }
code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.step { border: 1px solid var(--line); border-radius: 6px; padding: 12px 18px 6px; margin: 14px 0; }
.step h3 { margin: 0 0 4px; }
.step h3 code { color: var(--soft); font-weight: 400; }
dl.pairs { display: grid; grid-template-columns: minmax(110px, max-content) minmax(0, 1fr); gap: 2px 18px;
  margin: 4px 0 10px; font-size: 14.5px; }
dl.pairs dt { color: var(--soft); }
dl.pairs dd { margin: 0; overflow-wrap: anywhere; }
footer { grid-column: 1 / -1; border-top: 1px solid var(--line); margin-top: 48px; padding-top: 14px; font-size: 13.5px;
  color: var(--soft); }
@media (max-width: 900px) {
  .page { display: block; padding: 0 16px 40px; }
  header { padding-top: 24px; }
  h1 { font-size: 26px; }
  nav { position: static; max-height: none; background: var(--ground); border-radius: 6px; padding: 12px 16px; margin-bottom: 24px; }
  nav ol { border: 0; }
  nav a { padding-left: 0; }
}
@media print {
  body { font-size: 10.5pt; }
  .page { display: block; max-width: none; padding: 0; }
  nav { display: none; }
  h2 { break-after: avoid; }
  figure, .step, .box, .finding, tr { break-inside: avoid; }
  .scroll { overflow: visible; }
  a { color: inherit; }
}
"""
