#pragma once

namespace svdlab::report {

/// The style sheet of every page. Charts take their colours from the variables. What only scripts can use is
/// shown below html.live.
inline constexpr const char* kStyleSheet = R"css(
:root {
  color-scheme: light dark;
  --sans: "Inter", "Segoe UI", system-ui, -apple-system, "Helvetica Neue", Arial, sans-serif;
  --serif: "Source Serif 4", "Source Serif Pro", Charter, "Iowan Old Style", Georgia, "Times New Roman", serif;
  --mono: "JetBrains Mono", ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  --paper: #ffffff; --panel: #f5f6f9; --ink: #1c2430; --muted: #5f6b7a; --grid: #e3e7ed; --accent: #3457d5;
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
html { scroll-behavior: smooth; scroll-padding-top: 24px; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.6 var(--sans);
       display: grid; grid-template-columns: minmax(180px, 1fr) minmax(0, 1024px) minmax(0, 1fr); }
main { grid-column: 2; min-width: 0; padding: 56px 32px 96px; }
header { border-bottom: 1px solid var(--grid); padding-bottom: 22px; margin-bottom: 26px; }
h1 { font: 600 36px/1.2 var(--serif); letter-spacing: -0.01em; margin: 0 0 8px; }
h2 { font: 600 23px/1.3 var(--serif); margin: 60px 0 14px; } header + h2 { margin-top: 0; }
p { margin: 0 0 14px; max-width: 74ch; }
.subtitle { color: var(--muted); margin: 0; max-width: 74ch; }
nav { grid-column: 1; justify-self: end; position: sticky; top: 0; align-self: start; width: 200px; max-height: 100vh; overflow: auto;
      padding: 68px 0 24px 20px; font-size: 13px; line-height: 1.4; }
nav a { display: block; color: var(--muted); text-decoration: none; padding: 4px 0 4px 12px; border-left: 2px solid var(--grid); }
nav a:hover { color: var(--accent); } nav a.here { color: var(--ink); border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
@media (max-width: 1180px) {
  body { display: block; } main { max-width: 1024px; margin: 0 auto; padding-top: 24px; }
  nav { position: static; width: auto; max-width: 1024px; margin: 0 auto; padding: 20px 32px 0; max-height: none; }
  nav a { display: inline-block; border: 0; padding: 0 18px 0 0; } nav a.here { color: var(--muted); }
}
@media (max-width: 560px) { main { padding: 20px 16px 64px; } nav { padding: 16px 16px 0; } h1 { font-size: 28px; } }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 14px; margin: 0 0 24px; }
.figures div { background: var(--panel); border-radius: 10px; padding: 16px 18px; }
.figures b { display: block; font: 600 26px/1.25 var(--serif); font-variant-numeric: tabular-nums; }
.figures span { color: var(--muted); font-size: 13px; line-height: 1.45; display: block; margin-top: 3px; overflow-wrap: anywhere; }
.verdict { border-left: 4px solid var(--note); background: var(--panel); border-radius: 0 8px 8px 0; padding: 11px 16px; margin: 0 0 14px; }
.verdict b { color: var(--note); margin-right: 10px; font-size: 12.5px; letter-spacing: .06em; text-transform: uppercase; }
.verdict.pass { border-color: var(--pass); } .verdict.pass b { color: var(--pass); }
.verdict.fail { border-color: var(--fail); } .verdict.fail b { color: var(--fail); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 22px; font-size: 13.5px; margin: 0 0 20px; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
dl.values dd { font-family: var(--mono); font-size: 12.5px; }
figure { margin: 0 0 34px; }
figcaption { color: var(--muted); font-size: 13.5px; text-align: left; margin-top: 9px; max-width: 84ch; }
.scroll { overflow: auto; max-height: 660px; border-top: 1.5px solid var(--ink); border-bottom: 1.5px solid var(--ink); }
.chart { overflow-x: auto; } .chart[hidden] { display: none; }
svg { display: block; max-width: 100%; height: auto; }
@media (max-width: 760px) { svg { max-width: none; } }
svg rect:hover, svg path:hover { filter: brightness(1.12); }
table { border-collapse: separate; border-spacing: 0; font-size: 13.5px; min-width: 100%; }
th { position: sticky; top: 0; z-index: 1; background: var(--paper); font-weight: 600; text-align: left; white-space: nowrap;
     padding: 8px 11px; border-bottom: 1px solid var(--ink); }
th i { font-style: normal; font-weight: 400; color: var(--muted); }
th button { all: unset; color: inherit; font: inherit; white-space: nowrap; }
.live th button { cursor: pointer; } .live th button:hover { color: var(--accent); }
.live th button:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 3px; }
.live th button::after { content: "▾"; display: inline-block; width: 1em; text-align: right; color: var(--accent); opacity: 0; }
.live th button:hover::after { opacity: .45; }
.live th[aria-sort] button::after { opacity: 1; } .live th[aria-sort=ascending] button::after { content: "▴"; }
td { padding: 5px 11px; border-bottom: 1px solid var(--grid); white-space: nowrap; }
.live .sortable td.n { padding-right: calc(11px + 1em); }
tr:last-child td { border-bottom: 0; }
tbody tr:hover td { background: var(--panel); }
.n { text-align: right; font-variant-numeric: tabular-nums; }
td b { font-weight: 700; } td u { text-underline-offset: 3px; } td.missing { color: var(--muted); }
.controls { display: none; gap: 22px; flex-wrap: wrap; margin: 0 0 14px; font-size: 13.5px; color: var(--muted); }
.live .controls { display: flex; }
.controls label { display: flex; align-items: center; gap: 9px; }
select { font: 13.5px/1.4 var(--sans); color: var(--ink); background: var(--panel); border: 1px solid var(--grid); border-radius: 7px;
         padding: 5px 9px; max-width: 360px; }
input[type=range] { width: 100%; accent-color: var(--accent); margin: 6px 0 0; }
.compare { display: none; } .live .compare { display: block; --gain: 4; --edge: 50%; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(224px, 1fr)); gap: 18px; }
.panel p { margin: 8px 0 0; font-size: 12.5px; line-height: 1.45; color: var(--muted); text-align: center; min-height: 2.9em; }
.panel { width: 224px; } .frame { position: relative; width: 224px; border-radius: 6px; overflow: hidden; }
.frame img { display: block; width: 224px; height: auto; } .frame img + img { position: absolute; inset: 0; }
.difference { isolation: isolate; filter: brightness(var(--gain)); } .difference img + img { mix-blend-mode: difference; }
.wipe img + img { clip-path: inset(0 0 0 var(--edge)); }
.wipe::after { content: ""; position: absolute; top: 0; bottom: 0; left: calc(var(--edge) - 1px); width: 2px; background: #fff; box-shadow: 0 0 3px #000; }
.pixels { image-rendering: pixelated; }
.images td, .images th { vertical-align: top; border: 0; padding: 3px 5px; text-align: center; position: static; font-size: 12.5px; }
.images th { font-weight: 500; color: var(--muted); } .images th.row { vertical-align: middle; text-align: right; max-width: 190px; overflow: hidden; text-overflow: ellipsis; }
.images table { min-width: 0; } .images tbody tr:hover td { background: none; } .images { overflow-x: auto; }
.images img { display: block; margin: 0 auto; border-radius: 4px; } .images span { color: var(--muted); font-size: 11.5px; font-variant-numeric: tabular-nums; }
.live .images td + td img { cursor: pointer; }
details { margin: 0 0 14px; } details figure { margin-top: 14px; } summary { cursor: pointer; color: var(--accent); font-size: 14px; }
pre { background: var(--panel); border-radius: 8px; padding: 14px 18px; overflow: auto; font: 12.5px/1.55 var(--mono); }
@media print {
  body { display: block; } nav, .compare, .controls { display: none !important; } .chart[hidden] { display: block; }
  .scroll { max-height: none; overflow: visible; } main { padding: 0; max-width: none; } th { position: static; }
}
)css";

}  // namespace svdlab::report
