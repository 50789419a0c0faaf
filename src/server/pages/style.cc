#include "server/pages/style.h"

namespace flox::server {
namespace {

// Texts have at least 4.5:1 of contrast with what is behind them, in both schemes; axe measures it in
// test/catalog/pages.sh.
constexpr std::string_view sheet = R"css(
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --raised: #ffffff; --sunken: #f3f1ed;
  --ink: #1d2021; --soft: #5a6063; --line: #e2dfd8; --rule: #cfcbc2;
  --accent: #0a6259; --accent-soft: #e0efec; --on-accent: #ffffff;
  --good: #1c6b3a; --good-soft: #e2f1e6; --warn: #80520a; --warn-soft: #f9edd3; --bad: #a02c22; --bad-soft: #fbe6e2;
  --map-own: #0a6259; --map-own-ink: #ffffff; --map-near: #a9d3cb; --map-near-ink: #10302c;
  --map-far: #e4e6df; --map-far-ink: #33393a; --map-gap: #fbfaf8;
  --sans: Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
  --mono: "JetBrains Mono", ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --raised: #1b1f23; --sunken: #101315;
    --ink: #e9e7e2; --soft: #a4abb0; --line: #2a3035; --rule: #3b434a;
    --accent: #74cfc0; --accent-soft: #17322f; --on-accent: #0b1f1c;
    --good: #85d09c; --good-soft: #16301f; --warn: #e6bd6e; --warn-soft: #352a13; --bad: #f29c90; --bad-soft: #3b1d19;
    --map-own: #74cfc0; --map-own-ink: #0b1f1c; --map-near: #2c6159; --map-near-ink: #e8f5f2;
    --map-far: #2a3136; --map-far-ink: #d5d9da; --map-gap: #14171a;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; background: var(--paper); color: var(--ink);
  font: 400 1rem/1.6 var(--sans); font-feature-settings: "cv05", "ss03"; }
.wide { width: 100%; max-width: 72rem; margin-inline: auto; padding-inline: clamp(1rem, 4vw, 2.5rem); }
main { flex: 1; padding-block: clamp(1.5rem, 4vw, 3rem) 4rem; }
main:focus { outline: none; }
a { color: var(--accent); text-decoration-color: color-mix(in srgb, currentColor 35%, transparent); text-underline-offset: .18em; }
a:hover { text-decoration-color: currentColor; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: 1rem; top: -5rem; padding: .6rem 1rem; background: var(--accent); color: var(--on-accent);
  border-radius: 0 0 .5rem .5rem; z-index: 1; }
.skip:focus { top: 0; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

h1, h2, h3 { line-height: 1.2; letter-spacing: -.015em; text-wrap: balance; font-weight: 650; }
h1 { font-size: clamp(1.75rem, 1.3rem + 2vw, 2.5rem); margin: 0 0 .5rem; letter-spacing: -.025em; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: 0 0 .8rem; max-width: 68ch; }
.lead { font-size: 1.125rem; color: var(--soft); overflow-wrap: anywhere; white-space: pre-line; }
.soft, .fact { color: var(--soft); }
.small { font-size: .875rem; }
code, pre, .path { font-family: var(--mono); font-size: .875em; font-feature-settings: normal;
  font-variant-ligatures: none; }
.path { overflow-wrap: anywhere; }
time, .number { font-variant-numeric: tabular-nums; }
section { margin-top: clamp(2.25rem, 5vw, 3.25rem); }
section.first { margin-top: 1.75rem; }
.split section.first { margin-top: 0; }
figure { margin: 1rem 0 2rem; }

.top { border-bottom: 1px solid var(--line); background: var(--raised); }
.top .wide { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.75rem; padding-block: .5rem; }
.brand { display: inline-flex; align-items: center; gap: .6rem; padding-block: .4rem; font-weight: 700; letter-spacing: -.02em;
  color: var(--ink); text-decoration: none; }
.mark { width: 1.2rem; height: 1.2rem; border-radius: .25rem; background:
  linear-gradient(var(--accent) 0 0) 0 0 / 57% 100% no-repeat,
  linear-gradient(var(--map-near) 0 0) 100% 0 / 36% 57% no-repeat,
  linear-gradient(var(--rule) 0 0) 100% 100% / 36% 36% no-repeat; }
.top nav { display: flex; gap: 1.25rem; }
.top nav a { color: var(--soft); text-decoration: none; padding-block: .4rem; border-bottom: 2px solid transparent; }
.top nav a:hover { color: var(--ink); }
.top nav a[aria-current] { color: var(--ink); border-color: var(--accent); }
.session { display: flex; align-items: center; gap: .75rem; margin: 0 0 0 auto; font-size: .875rem; color: var(--soft); }
.session span { overflow-wrap: anywhere; }
.end { border-top: 1px solid var(--line); padding-block: 1.25rem; font-size: .875rem; color: var(--soft); }
.end p { margin: 0; max-width: none; }

.find { display: flex; gap: .5rem; max-width: 44rem; margin-block: 1rem 0; }
.find input { flex: 1; min-width: 0; }
input, select, button { font: inherit; color: inherit; border: 1px solid var(--rule); border-radius: .5rem; background: var(--raised);
  padding: .55rem .8rem; max-width: 100%; }
input::placeholder { color: var(--soft); opacity: 1; }
button { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; cursor: pointer; }
button:hover { filter: brightness(1.08); }
.fields { display: flex; flex-wrap: wrap; align-items: end; gap: .75rem; }
.fields label { display: grid; gap: .25rem; font-size: .875rem; color: var(--soft); min-width: 0; }
.fields select { color: var(--ink); font-size: 1rem; }

.split { display: grid; grid-template-columns: minmax(0, 1fr); gap: 2rem 3rem; margin-top: 2.25rem; align-items: start; }
.pair { display: grid; grid-template-columns: minmax(0, 1fr); gap: 2rem 3rem; }
@media (min-width: 56rem) {
  .split { grid-template-columns: 13rem minmax(0, 1fr); }
  .split.right { grid-template-columns: minmax(0, 1fr) 19rem; }
  .pair { grid-template-columns: repeat(2, minmax(0, 1fr)); }
}
.pair h3 { margin-top: .25rem; }
.pair + p { margin-top: 1.25rem; }
.facets h2 { font-size: .8125rem; font-weight: 600; color: var(--soft); letter-spacing: 0; margin: 0 0 .4rem; }
.facets ul { list-style: none; margin: 0 0 1.25rem; padding: 0; display: flex; flex-wrap: wrap; gap: .35rem; }
.facets a { display: flex; gap: .5rem; justify-content: space-between; padding: .22rem .6rem; border: 1px solid var(--line);
  border-radius: 999px; color: var(--ink); text-decoration: none; font-size: .875rem; line-height: 1.45; min-width: 0; }
.facets a span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.facets li { min-width: 0; max-width: 100%; }
.facets a:hover { border-color: var(--rule); background: var(--sunken); }
.facets a[aria-current] { background: var(--accent-soft); border-color: var(--accent); }
.facets .count { color: var(--soft); font-variant-numeric: tabular-nums; }
@media (min-width: 56rem) {
  .facets ul { flex-direction: column; gap: 0; }
  .facets a { border-color: transparent; border-radius: .4rem; margin-inline: -.6rem; }
}
.results { list-style: none; margin: 0; padding: 0; }
.results > li { padding-block: 1.1rem; border-top: 1px solid var(--line); }
.results > li:first-child { border-top: 0; padding-top: .25rem; }
.results h3 { margin: 0; font-size: 1.0625rem; display: flex; flex-wrap: wrap; align-items: baseline; gap: .1rem .6rem; overflow-wrap: anywhere; }
.results h3 a { text-decoration: none; }
.results h3 a:hover { text-decoration: underline; }
.results .version { font: 500 .875rem/1.4 var(--mono); color: var(--soft); }
.results p { margin: .15rem 0 .3rem; overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden; }
.meta { display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; list-style: none; margin: 0; padding: 0; font-size: .875rem; color: var(--soft); }
.meta li { overflow-wrap: anywhere; min-width: 0; }
.pager { display: flex; justify-content: space-between; gap: 1rem; margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid var(--line); }

.badge { display: inline-flex; align-items: center; gap: .4em; padding: .12rem .6rem; border-radius: 999px; font-size: .8125rem; font-weight: 600;
  line-height: 1.5; background: var(--sunken); color: var(--soft); white-space: nowrap; letter-spacing: 0; }
.badge::before { content: ""; width: .5em; height: .5em; border-radius: 50%; background: currentColor; }
.badge.good { background: var(--good-soft); color: var(--good); }
.badge.warn { background: var(--warn-soft); color: var(--warn); }
.badge.bad { background: var(--bad-soft); color: var(--bad); }
.badges { display: flex; flex-wrap: wrap; gap: .4rem; margin: .75rem 0 0; }
.above { font-size: .875rem; margin-bottom: .35rem; color: var(--soft); }

.facts { display: grid; grid-template-columns: minmax(0, 1fr); gap: .9rem; margin: 0; }
.facts dt { font-size: .8125rem; color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.facts.across { grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1.25rem 2rem; }
.facts.across dd { font-size: 1.5rem; font-weight: 650; letter-spacing: -.02em; font-variant-numeric: tabular-nums; line-height: 1.25; }
.card { background: var(--raised); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; }
.note { border-left: 3px solid var(--rule); padding: .1rem 0 .1rem 1rem; max-width: 68ch; }
.note.warn { border-color: var(--warn); }
.note.bad { border-color: var(--bad); }
.note > :last-child { margin-bottom: 0; }

pre { margin: 0; padding: .9rem 1.1rem; background: var(--sunken); border: 1px solid var(--line); border-radius: .6rem; line-height: 1.55; overflow: auto;
  max-height: 34rem; tab-size: 4; }
pre code { font-size: inherit; }
pre.pick { user-select: all; -webkit-user-select: all; }
pre.wrap { white-space: pre-wrap; overflow-wrap: anywhere; }
.stack > * + * { margin-top: .75rem; }
.lines { padding: .6rem 0; }
.lines span { display: block; padding-inline: 1.15rem; min-width: max-content; min-height: 1.55em; }
.lines .plus { background: var(--good-soft); color: var(--good); }
.lines .minus { background: var(--bad-soft); color: var(--bad); }
.lines .gap { color: var(--soft); }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
caption { text-align: left; color: var(--soft); font-size: .875rem; padding-bottom: .5rem; }
th, td { text-align: left; vertical-align: baseline; padding: .5rem 1.25rem .5rem 0; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-size: .8125rem; font-weight: 600; color: var(--soft); white-space: nowrap; }
tbody th { font-weight: 550; }
td.number, th.number { text-align: right; white-space: nowrap; }
td time, td .badge, td.path { white-space: nowrap; }
td.number, th.number { padding-right: 2rem; }
table + p, .scroll + p { margin-top: .75rem; }
dd ul { margin: 0; padding-left: 1.1rem; }
tr[aria-current] > * { background: var(--accent-soft); }
tr[aria-current] > :first-child { box-shadow: -.6rem 0 var(--accent-soft), inset 2px 0 var(--accent); padding-left: .6rem; }
.plus { color: var(--good); } .minus { color: var(--bad); }

.map { display: block; width: 100%; height: auto; border-radius: .6rem; }
.map.tall { display: none; }
@media (max-width: 40rem) { .map.wide-map { display: none; } .map.tall { display: block; } }
.map rect { stroke: var(--map-gap); stroke-width: 2; }
.map text { font-family: var(--sans); font-size: 13px; }
.map .size { font-size: 12px; font-variant-numeric: tabular-nums; }
.map .own rect { fill: var(--map-own); } .map .own text { fill: var(--map-own-ink); font-weight: 600; }
.map .near rect { fill: var(--map-near); } .map .near text { fill: var(--map-near-ink); }
.map .far rect { fill: var(--map-far); } .map .far text { fill: var(--map-far-ink); }
.map g:hover rect { filter: brightness(.93); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; list-style: none; margin: .75rem 0 0; padding: 0; font-size: .875rem; color: var(--soft); }
.legend li::before { content: ""; display: inline-block; width: .8em; height: .8em; border-radius: .2em; margin-right: .5em; vertical-align: -.05em;
  border: 1px solid var(--rule); background: var(--map-far); }
.legend .own::before { background: var(--map-own); } .legend .near::before { background: var(--map-near); }

details > summary { cursor: pointer; padding-block: .15rem; }
details > summary:hover { color: var(--accent); }
.tree, .tree ul { list-style: none; margin: 0; padding: 0; }
.tree ul { margin-left: .45rem; padding-left: 1.1rem; border-left: 1px solid var(--line); }
.tree li { padding-block: .08rem; }
.tree li > span.leaf { display: block; padding-left: 1.05rem; }
.tree .size { color: var(--soft); font-size: .875rem; font-variant-numeric: tabular-nums; margin-left: .5rem; white-space: nowrap; }
@media (prefers-reduced-motion: no-preference) { a, button, .facets a { transition: background-color .12s, border-color .12s, color .12s; } }
@media (forced-colors: active) { .map rect { stroke: CanvasText; } .badge { border: 1px solid; } }
@media print { .top nav, .find, .facets, .skip { display: none; } }
)css";

constexpr std::string_view mark = R"svg(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect x="2" y="2" width="16" height="28" rx="3" fill="#0a6259"/>
<rect x="20" y="2" width="10" height="16" rx="3" fill="#74cfc0"/>
<rect x="20" y="20" width="10" height="10" rx="3" fill="#9aa3a6"/>
</svg>
)svg";

}  // namespace

std::string_view style_sheet() { return sheet; }
std::string_view icon() { return mark; }

}  // namespace flox::server
