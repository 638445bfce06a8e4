#pragma once

namespace svdlab::report {

/// The style sheet of every page. Charts take their colours from the variables.
inline constexpr const char* kStyleSheet = R"css(
:root {
  color-scheme: light dark;
  --sans: "Inter", "Segoe UI", system-ui, -apple-system, "Helvetica Neue", Arial, sans-serif;
  --serif: "Source Serif 4", "Source Serif Pro", Charter, "Iowan Old Style", Georgia, serif;
  --mono: "JetBrains Mono", ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1c2430; --muted: #5f6b7a; --grid: #e3e7ed; --accent: #3457d5;
  --pass: #17803d; --fail: #c02626; --note: #3457d5;
  --s0: #3457d5; --s1: #e0651b; --s2: #0f8f83; --s3: #b9317f; --s4: #6d8b12; --s5: #7a4fd0; --s6: #c98a00; --s7: #70798a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161c; --panel: #1a2028; --ink: #e6eaf0; --muted: #97a3b3; --grid: #2b333e; --accent: #8aa4ff;
    --pass: #4ec07a; --fail: #ff7b72; --note: #8aa4ff;
    --s0: #7f9bff; --s1: #ff9350; --s2: #3fc5b5; --s3: #f06fb4; --s4: #a9c94a; --s5: #b195ff; --s6: #f0b93a; --s7: #a3adbb;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.6 var(--sans); }
main { max-width: 1040px; margin: 0 auto; padding: 56px 32px 96px; }
header { border-bottom: 1px solid var(--grid); padding-bottom: 22px; margin-bottom: 26px; }
h1 { font: 600 34px/1.2 var(--serif); letter-spacing: -0.01em; margin: 0 0 8px; }
h2 { font: 600 22px/1.3 var(--serif); margin: 52px 0 14px; }
p { margin: 0 0 14px; max-width: 70ch; }
.subtitle { color: var(--muted); margin: 0; }
nav { font-size: 13.5px; margin-bottom: 30px; }
nav a { color: var(--accent); text-decoration: none; margin-right: 20px; white-space: nowrap; }
nav a:hover { text-decoration: underline; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px; margin: 0 0 22px; }
.figures div { background: var(--panel); border-radius: 8px; padding: 14px 18px; }
.figures b { display: block; font: 600 25px/1.25 var(--serif); font-variant-numeric: tabular-nums; }
.figures span { color: var(--muted); font-size: 13px; }
.verdict { border-left: 4px solid var(--note); background: var(--panel); border-radius: 0 8px 8px 0; padding: 11px 16px; margin: 0 0 14px; }
.verdict b { color: var(--note); margin-right: 10px; font-size: 12.5px; letter-spacing: .06em; text-transform: uppercase; }
.verdict.pass { border-color: var(--pass); } .verdict.pass b { color: var(--pass); }
.verdict.fail { border-color: var(--fail); } .verdict.fail b { color: var(--fail); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 22px; font-size: 13.5px; margin: 0 0 20px; }
dt { color: var(--muted); } dd { margin: 0; font-family: var(--mono); font-size: 12.5px; overflow-wrap: anywhere; }
figure { margin: 0 0 30px; }
figcaption, caption { color: var(--muted); font-size: 13.5px; text-align: left; }
figcaption { margin-top: 9px; max-width: 80ch; } caption { padding: 0 0 8px; }
.scroll { overflow: auto; max-height: 640px; border-top: 1.5px solid var(--ink); border-bottom: 1.5px solid var(--ink); }
.chart { overflow-x: auto; }
svg { display: block; }
table { border-collapse: separate; border-spacing: 0; font-size: 13.5px; min-width: 100%; }
th { position: sticky; top: 0; z-index: 1; background: var(--paper); font-weight: 600; text-align: left; white-space: nowrap;
     padding: 8px 11px; border-bottom: 1px solid var(--ink); }
th i { font-style: normal; font-weight: 400; color: var(--muted); }
td { padding: 5px 11px; border-bottom: 1px solid var(--grid); white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
tbody tr:hover td { background: var(--panel); }
.n { text-align: right; font-variant-numeric: tabular-nums; }
td b { font-weight: 700; } td u { text-underline-offset: 3px; } td.missing { color: var(--muted); }
.images td, .images th { vertical-align: top; border: 0; padding: 3px 5px; text-align: center; position: static; font-size: 12.5px; }
.images th { font-weight: 500; color: var(--muted); } .images th.row { vertical-align: middle; text-align: right; max-width: 190px; overflow: hidden; text-overflow: ellipsis; }
.images table { min-width: 0; } .images tbody tr:hover td { background: none; } .images { overflow-x: auto; }
.images img { display: block; margin: 0 auto; border-radius: 4px; } .images span { color: var(--muted); font-size: 11.5px; font-variant-numeric: tabular-nums; }
details { margin: 0 0 14px; } summary { cursor: pointer; color: var(--accent); font-size: 14px; }
pre { background: var(--panel); border-radius: 8px; padding: 14px 18px; overflow: auto; font: 12.5px/1.55 var(--mono); }
@media print { .scroll { max-height: none; overflow: visible; } main { padding: 0; max-width: none; } th { position: static; } }
)css";

}  // namespace svdlab::report
