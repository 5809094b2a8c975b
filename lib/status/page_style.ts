/** The looks of the status page: one sheet, named by its digest in the page's security policy. */

export const PAGE_STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--line:#d9dde3;--text:#1c2430;--soft:#56606e;
--ok:#177544;--ok-bg:#e3f4ea;--warn:#8a5a00;--warn-bg:#fdf0d2;--fail:#b3261e;--fail-bg:#fbe4e2;
--note:#2b5fa8;--note-bg:#e6eefa;--z-ok:#5cb885;--z-warn:#e3a520;--z-fail:#d9534a;--now:#1c2430}
@media (prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1b2129;--line:#323b47;--text:#e6eaf0;
--soft:#a3adba;--ok:#63d197;--ok-bg:#12301f;--warn:#f0b94a;--warn-bg:#35280b;--fail:#ff8d84;
--fail-bg:#3a1715;--note:#8fbbf5;--note-bg:#15263e;--z-ok:#2f8a5b;--z-warn:#b98415;--z-fail:#b8443c;
--now:#fff}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;overflow-wrap:anywhere}
header,main,footer{max-width:76rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.25rem}
h1{font-size:1.05rem;margin:0;font-weight:600;color:var(--soft)}
h2{font-size:1rem;margin:0 0 .75rem;font-weight:650}
.mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.88em}
.sum{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem 1rem;margin:.75rem 0 1rem;padding:.9rem 1.1rem;
border-radius:.75rem;border-left:.5rem solid}
.sum strong{font-size:1.35rem;line-height:1.25}
.sum span{color:var(--text)}
.s-ok{background:var(--ok-bg);border-color:var(--ok)}.s-ok strong{color:var(--ok)}
.s-warn{background:var(--warn-bg);border-color:var(--warn)}.s-warn strong{color:var(--warn)}
.s-fail{background:var(--fail-bg);border-color:var(--fail)}.s-fail strong{color:var(--fail)}
section{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem 1.1rem;margin:0 0 1rem;min-width:0}
.cols{display:grid;grid-template-columns:minmax(0,25rem) minmax(0,1fr);gap:1rem;align-items:start}
.todo{list-style:none;margin:0;padding:0}
.todo li{padding:.55rem 0;border-top:1px solid var(--line);display:grid;grid-template-columns:4.9rem minmax(0,1fr);gap:.1rem .6rem}
.todo li:first-child{border-top:0}
.todo p{margin:0}
.tag{display:inline-block;font-size:.78rem;font-weight:650;padding:.05rem .5rem;border-radius:1rem;white-space:nowrap;justify-self:start;align-self:start}
.t-ok{color:var(--ok);background:var(--ok-bg)}.t-warn{color:var(--warn);background:var(--warn-bg)}
.t-fail{color:var(--fail);background:var(--fail-bg)}.t-note{color:var(--note);background:var(--note-bg)}
table{border-collapse:collapse;width:100%;font-size:.93rem}
th,td{text-align:left;padding:.4rem .9rem .4rem 0;vertical-align:top}
thead th{color:var(--soft);font-weight:550;font-size:.82rem;white-space:nowrap;border-bottom:1px solid var(--line)}
tbody tr+tr>*{border-top:1px solid var(--line)}
tbody th{font-weight:600;min-width:4.5rem}
.soft{color:var(--soft)}
.certs{list-style:none;margin:0;padding:0}
.certs li{padding:.7rem 0;border-top:1px solid var(--line)}
.certs li:first-child{border-top:0;padding-top:0}
.certs .head{display:flex;flex-wrap:wrap;gap:.15rem .7rem;align-items:baseline}
.certs .left{margin-left:auto;font-variant-numeric:tabular-nums}
.life-words{margin:.1rem 0 0;font-size:.84rem;color:var(--soft)}
svg.life{display:block;width:100%;height:20px;margin:.3rem 0 .25rem}
.z-ok{fill:var(--z-ok)}.z-warn{fill:var(--z-warn)}.z-fail{fill:var(--z-fail)}
.z-past{fill:var(--card);fill-opacity:.55}
.m-renew{fill:var(--note)}.m-now{fill:var(--now)}
.key{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.8rem 0 0;padding:0;list-style:none;font-size:.84rem;color:var(--soft)}
.key svg{width:.8rem;height:.8rem;vertical-align:-.08rem;margin-right:.35rem}
svg.fleet{display:block;width:100%;max-width:26rem;margin:0 auto}
svg.fleet text{font:10.5px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--text);text-anchor:middle}
svg.fleet .n-name{font:650 12.5px system-ui,sans-serif}
svg.fleet .n-sub{font:9.5px system-ui,sans-serif;fill:var(--soft)}
svg.fleet .a-fail{fill:var(--fail)}
.p-ok{fill:var(--card);stroke:var(--line)}.p-fail{fill:var(--fail-bg);stroke:var(--fail)}
svg.fleet circle{stroke-width:3px}
.n-ok{fill:var(--ok-bg);stroke:var(--ok)}.n-warn{fill:var(--warn-bg);stroke:var(--warn)}
.n-fail{fill:var(--fail-bg);stroke:var(--fail)}.n-silent{fill:var(--card);stroke:var(--fail);stroke-dasharray:5 4}
.e-ok{stroke:var(--ok);stroke-width:2px;stroke-opacity:.55}
.e-fail{stroke:var(--fail);stroke-width:2.5px;stroke-dasharray:6 4}
.e-unknown{stroke:var(--line);stroke-width:1.5px;stroke-dasharray:2 4}
.scroll{overflow-x:auto}
.scroll:focus-visible{outline:2px solid var(--note);outline-offset:2px}
.matrix td,.matrix thead th{text-align:center;padding:.35rem .5rem}
.matrix thead th:first-child{text-align:left;padding-left:0}
footer{color:var(--soft);font-size:.85rem;padding-bottom:2rem}
a{color:var(--note)}
@media (max-width:60rem){.cols{grid-template-columns:minmax(0,1fr)}}
@media (max-width:40rem){
.todo li{grid-template-columns:minmax(0,1fr)}
.stack thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.stack tr{display:block;padding:.45rem 0}
.stack tbody tr+tr{border-top:1px solid var(--line)}
.stack tbody tr+tr>*{border-top:0}
.stack tbody th,.stack td{display:grid;grid-template-columns:7rem minmax(0,1fr);padding:.1rem 0;text-align:left}
.stack tbody th{display:block}
.stack td::before{content:attr(data-of);color:var(--soft);font-size:.85rem}
.stack td.none{display:none}
.certs .left{margin-left:0}
}
`;
