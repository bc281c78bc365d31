# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the report page looks: light and dark, wide and narrow. PRIVATE."""

from __future__ import annotations

_LIGHT = """
--page:#f5f6f8;--card:#fff;--ink:#1b2230;--soft:#566072;--line:#dbe0e8;--link:#1b56b0;--focus:#1b56b0;--bar:#7b93b8;--bad:#c0392b;--shade:#1b223033;
--critical:#b3261e;--on-critical:#fff;--failed:#fbd9d5;--on-failed:#86170f;--not-asked:#3b4152;--on-not-asked:#fff;
--warning:#fde3a7;--on-warning:#573a00;--stopped:#e7def8;--on-stopped:#472a80;--waits:#d6e6fd;--on-waits:#123d78;
--unknown:#e5e8ed;--on-unknown:#3a4352;--open:#d9eff3;--on-open:#0c4a58;--ok:#d9f0de;--on-ok:#13502b;
"""
_DARK = """
--page:#10141b;--card:#181e27;--ink:#e7ebf2;--soft:#a4aebf;--line:#2c3543;--link:#8dbaff;--focus:#8dbaff;--bar:#6f86aa;--bad:#ff7b70;--shade:#000c;
--critical:#ff8a80;--on-critical:#2a0402;--failed:#5b1f1b;--on-failed:#ffd8d4;--not-asked:#ccd2de;--on-not-asked:#181e27;
--warning:#5c4503;--on-warning:#ffe4a1;--stopped:#3c2b63;--on-stopped:#e7dcff;--waits:#17376a;--on-waits:#d2e3ff;
--unknown:#343d4b;--on-unknown:#d8dee8;--open:#10434f;--on-open:#c9eff7;--ok:#173f29;--on-ok:#c7f1d3;
"""
_CHIPS = ("critical", "failed", "not-asked", "warning", "stopped", "waits", "unknown", "open", "ok")
_REST = """
*{box-sizing:border-box}
html{scroll-padding-top:1rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
header,main,footer,nav{max-width:88rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.75rem}
h1{font-size:1.65rem;line-height:1.2;margin:0 0 .35rem;letter-spacing:-.01em}
h2{font-size:1.2rem;margin:0 0 .2rem;line-height:1.3}
h3{font-size:1rem;margin:0;line-height:1.4}
p{margin:.2rem 0 .7rem;max-width:75ch}
a{color:var(--link)}
bdi,h1,h2,h3,p,dd,li,code{overflow-wrap:anywhere}
table,table bdi,table code{overflow-wrap:break-word}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
main:focus{outline:none}
.soft{color:var(--soft)}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;left:1rem;top:-4rem;background:var(--card);padding:.5rem 1rem;border-radius:0 0 .5rem .5rem;z-index:9}
.skip:focus{top:0}
nav ul{list-style:none;margin:.9rem 0 0;padding:0;display:flex;flex-wrap:wrap;gap:.4rem}
nav a{display:inline-block;padding:.25rem .75rem;border:1px solid var(--line);border-radius:99px;background:var(--card);text-decoration:none;font-size:.9rem}
nav a:hover{border-color:var(--link)}
section{margin:1.5rem 0;padding:1.1rem 1.2rem 1.2rem;background:var(--card);border:1px solid var(--line);border-radius:.8rem}
section>p{color:var(--soft);font-size:.93rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.6rem;margin:1.3rem 0 0}
.tiles div{display:flex;flex-direction:column-reverse;justify-content:flex-end;padding:.65rem .9rem .7rem;background:var(--card);
border:1px solid var(--line);border-radius:.8rem}
.tiles dt{color:var(--soft);font-size:.85rem;line-height:1.3}
.tiles dd{margin:0;white-space:nowrap;font-size:1.55rem;font-weight:650;line-height:1.25;font-variant-numeric:tabular-nums}
.tiles .alarm{background:var(--failed);border-color:transparent}
.tiles .alarm dt,.tiles .alarm dd{color:var(--on-failed)}
.tiles .wait{background:var(--waits);border-color:transparent}
.tiles .wait dt,.tiles .wait dd{color:var(--on-waits)}
.chip{display:inline-block;padding:.05rem .5rem .1rem;border-radius:.4rem;font-size:.8rem;font-weight:650;line-height:1.45;white-space:nowrap}
.no-run{color:var(--soft);font-weight:400;padding-left:0}
.box{margin-top:.7rem;overflow-x:auto;background:linear-gradient(90deg,var(--card) 30%,transparent) 0/3rem 100%,
linear-gradient(270deg,var(--card) 30%,transparent) 100%/3rem 100%,linear-gradient(90deg,var(--shade),transparent) 0/.9rem 100%,
linear-gradient(270deg,var(--shade),transparent) 100%/.9rem 100%;
background-repeat:no-repeat;background-attachment:local,local,scroll,scroll;
border:1px solid var(--line);border-radius:.6rem;position:relative}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:.9rem}
caption{text-align:left;padding:.55rem .8rem;color:var(--soft);font-size:.85rem}
th,td{padding:.42rem .8rem;text-align:left;vertical-align:top;border-top:1px solid var(--line);overflow:hidden}
thead th{font-weight:600;font-size:.82rem;vertical-align:bottom;color:var(--soft)}
tbody th{font-weight:600;max-width:18rem}
td{min-width:5.5rem;max-width:24rem}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.grid td,.grid thead th{padding:.42rem .5rem;min-width:5.6rem}
.grid thead th{min-width:6.6rem;max-width:10rem}
.grid tbody th,.grid thead th:first-child{position:sticky;left:0;background:var(--card);z-index:1;border-right:1px solid var(--line);padding-left:.8rem}
.grid tbody th .chip{margin-top:.1rem}
.grid td small{display:block;color:var(--soft);font-size:.76rem;line-height:1.3}
.grid a{text-decoration:none}
.grid a:hover .chip{text-decoration:underline}
.cards{align-items:start;list-style:none;margin:.6rem 0 0;padding:0;display:grid;gap:.7rem}
.cards>li{border:1px solid var(--line);border-radius:.6rem;padding:.75rem .9rem;min-width:0;overflow:hidden}
.cards>li:target{border-color:var(--focus);box-shadow:0 0 0 1px var(--focus)}
.cards h3{display:flex;flex-wrap:wrap;gap:.1rem .55rem;align-items:center}
.cards h3 .soft{font-weight:400}
.cards p{margin:.3rem 0}
.cards ul{margin:.3rem 0 0;padding-left:1.1rem}
.two{grid-template-columns:repeat(auto-fill,minmax(min(100%,30rem),1fr))}
.pairs{display:grid;gap:.15rem 1rem;margin:.45rem 0;font-size:.9rem}
.pairs div{display:grid;grid-template-columns:8.5rem minmax(0,1fr);gap:.6rem}
.pairs dt{color:var(--soft)}
.pairs dd{margin:0}
code{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.say{display:block;padding:.55rem .7rem;margin:.35rem 0 0;background:var(--page);border:1px solid var(--line);border-radius:.45rem}
.spark{width:7.5rem;height:1.5rem;display:block}
.spark .bar{fill:var(--bar)}
.spark .bad{fill:var(--bad)}
.legend{display:flex;flex-wrap:wrap;gap:.35rem 1.3rem;margin:.8rem 0 0;padding:0;list-style:none;font-size:.85rem;color:var(--soft)}
.legend .chip{margin-right:.3rem}
footer{padding-bottom:2.5rem;color:var(--soft);font-size:.87rem}
@media (max-width:40rem){
section{padding:.9rem .8rem 1rem;margin:1rem 0;border-radius:.6rem}
header,main,footer,nav{padding-left:.75rem;padding-right:.75rem}
.pairs div{grid-template-columns:minmax(0,1fr);gap:0;margin-bottom:.25rem}
.tiles{grid-template-columns:repeat(2,minmax(0,1fr))}
.grid tbody th,.grid thead th:first-child{min-width:7rem;max-width:8.5rem}
}
@media print{.skip,nav{display:none}.box{overflow:visible}section{break-inside:avoid}}
@media (forced-colors:active){.chip{border:1px solid}}
"""


def sheet() -> str:
    """The style sheet, without a line break that a page would not need."""
    chips = "".join(f".{name}{{background:var(--{name});color:var(--on-{name})}}" for name in _CHIPS)
    whole = f":root{{color-scheme:light dark;{_LIGHT}}}@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}{_REST}{chips}"
    return whole.replace("\n", "")
