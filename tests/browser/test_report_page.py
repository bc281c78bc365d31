# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report page in a real browser: light and dark, wide and narrow, for eyes, keyboards and screen readers, and inert."""

from __future__ import annotations

import base64
import typing as t

import pytest

NAMES = ("fleet", "hostile", "empty")
WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
TABLES = ("hosts and", "What each runbook cost", "Each host", "denied, the newest first")

#: How many colours an image has, and how light it is.
_LOOK = """async (data) => {
  const image = new Image(); image.src = 'data:image/png;base64,' + data; await image.decode();
  const canvas = document.createElement('canvas'); canvas.width = image.width; canvas.height = image.height;
  const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);
  const bytes = context.getImageData(0, 0, image.width, image.height).data; const colours = new Set(); let light = 0;
  for (let at = 0; at < bytes.length; at += 4) {
    colours.add(bytes[at] << 16 | bytes[at + 1] << 8 | bytes[at + 2]); light += bytes[at] + bytes[at + 1] + bytes[at + 2];
  }
  return [colours.size, light / (bytes.length / 4 * 765)];
}"""

#: What sticks out of the window on the right and does not lie in a box that scrolls.
_OUTSIDE = """() => [...document.querySelectorAll('body *')].filter(one => !one.closest('.box') && !one.matches('.hidden,.skip')
  && one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5).map(one => one.outerHTML.slice(0, 120))"""

#: Texts and bars with too little contrast to what is behind them, by the rules of WCAG 2.
_FAINT = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const part = value => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = one => { for (; one; one = one.parentElement) { const found = rgb(getComputedStyle(one).backgroundColor);
    if (found.length === 3 || found[3] === 1) return found; if (found[3] > 0) throw new Error('half transparent'); } throw new Error('nothing behind'); };
  const ratio = (a, b) => { const [low, high] = [light(a), light(b)].sort((x, y) => x - y); return (high + 0.05) / (low + 0.05); };
  const faint = []; let seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim()) continue;
    seen += 1;
    const found = ratio(rgb(getComputedStyle(one).color), behind(one));
    if (found < 4.5) faint.push([walk.currentNode.data.slice(0, 60), one.className, found]);
  }
  for (const bar of document.querySelectorAll('path')) {
    const found = ratio(rgb(getComputedStyle(bar).fill), behind(bar.closest('td')));
    if (found < 3) faint.push(['bar', bar.getAttribute('class'), found]);
  }
  return [seen, faint];
}"""


def _shot(opened: t.Any, name: str, pages: t.Any) -> bytes:
    picture: bytes = opened.page.screenshot(full_page=False)
    (pages.folder / f"{name}.png").write_bytes(picture)
    return picture


@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_light_or_dark_as_the_reader_wants_it_and_never_blank(pages: t.Any, width: int) -> None:
    blank = pages.browser.new_page()
    found = {}
    for scheme in SCHEMES:
        opened = pages.open("fleet", width=width, scheme=scheme)
        colours, light = blank.evaluate(_LOOK, base64.b64encode(_shot(opened, f"fleet-{scheme}-{width}", pages)).decode())
        found[scheme] = light
        assert colours > 50
    blank.close()
    assert found["light"] > 0.8 and found["dark"] < 0.3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [320, *WIDTHS])
def test_nothing_sticks_out_of_the_window(pages: t.Any, name: str, width: int) -> None:
    opened = pages.open(name, width=width)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.evaluate(_OUTSIDE) == []
    _shot(opened, f"{name}-{width}", pages)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_can_be_read_against_what_is_behind_it(pages: t.Any, name: str, scheme: str) -> None:
    seen, faint = pages.open(name, scheme=scheme).page.evaluate(_FAINT)
    assert faint == [] and seen > 20


def test_a_reader_who_sees_nothing_finds_landmarks_headings_and_tables(pages: t.Any) -> None:
    page = pages.open("fleet").page
    for role in ("banner", "main", "contentinfo", "navigation"):
        assert page.get_by_role(role).count() == 1, role
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["Codex on 31 hosts"]
    sections = page.get_by_role("heading", level=2).all_inner_texts()
    assert sections == ["What waits for people", "Hosts and runbooks", "What is not well", "Cost of each runbook", "Each host", "Denied attempts"]
    for section in sections:
        assert page.get_by_role("region", name=section, exact=True).count() == 1
    assert page.get_by_role("table").count() == len(TABLES)
    for table in TABLES:
        assert page.get_by_role("table", name=table).count() == 1, table
    assert page.get_by_role("heading", level=3).count() > 10


def test_in_the_accessibility_tree_every_status_is_a_word_and_every_trend_a_sentence(pages: t.Any) -> None:
    page = pages.open("fleet").page
    grid = page.get_by_role("table", name="hosts and")
    host = grid.get_by_role("row").filter(has=page.get_by_role("rowheader", name="web1.example.com", exact=True))
    assert grid.get_by_role("columnheader").count() == 17 and host.count() == 1
    words = ("critical", "failed", "warning", "stopped", "waits", "unknown", "ok", "no run", "open", "not there", "–")
    for text in grid.get_by_role("cell").all_inner_texts():
        assert text.startswith(words), text
    tree = page.get_by_role("main").aria_snapshot()
    for said in ("table ", "rowheader ", "columnheader ", "cell "):
        assert f"- {said}" in tree, said
    trends = [page.get_by_role("img", name=f"{what} a day, 30 days: ").count() for what in ("Tokens", "Runs")]
    assert min(trends) > 10 and sum(trends) == page.get_by_role("img").count() == page.locator("svg").count() > 40


def test_with_a_keyboard_alone_all_of_it_can_be_reached(pages: t.Any) -> None:
    page = pages.open("fleet", width=360).page
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the report")
    assert skip.evaluate("one => one === document.activeElement && one.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    assert page.url.endswith("#report") and page.evaluate("document.activeElement.id") == "report"
    for number in range(len(TABLES)):
        box = page.locator(".box").nth(number)
        box.focus()
        assert box.evaluate("one => one === document.activeElement && one.scrollWidth > one.clientWidth && getComputedStyle(one).outlineStyle !== 'none'")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("number => document.querySelectorAll('.box')[number].scrollLeft > 0", arg=number)


def test_each_word_of_the_grid_leads_to_what_is_behind_it(pages: t.Any) -> None:
    page = pages.open("fleet").page
    link = page.get_by_role("table", name="hosts and").get_by_role("link", name="critical").first
    link.click()
    card = page.locator(":target")
    assert card.get_by_role("heading", level=3).inner_text().startswith("critical")
    assert card.evaluate("one => { const at = one.getBoundingClientRect(); return at.top >= 0 && at.top < innerHeight; }")


@pytest.mark.parametrize("name", NAMES)
def test_without_javascript_it_looks_the_same(pages: t.Any, name: str) -> None:
    pictures = [pages.open(name, scripts=scripts).page.screenshot(full_page=True) for scripts in (True, False)]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("name", NAMES)
def test_it_asks_nobody_for_anything_and_the_browser_has_no_complaint(pages: t.Any, name: str) -> None:
    opened = pages.open(name)
    opened.page.wait_for_load_state("networkidle")
    assert opened.requests == [opened.url] and opened.said == []


def test_whatever_a_host_says_makes_no_element(pages: t.Any) -> None:
    def names(name: str) -> set[str]:
        found = pages.open(name).page.evaluate("[...new Set([...document.querySelectorAll('*')].map(one => one.localName))]")
        return set(found)

    assert names("hostile") - names("fleet") <= {"br"}
    opened = pages.open("hostile")
    assert opened.page.title() == "Codex on 21 hosts"
    assert opened.page.get_by_role("heading", level=1).all_inner_texts() == ["Codex on 21 hosts"]
    wrong = "[...document.querySelectorAll('*')].filter(one => [...one.attributes].some(it => it.name.startsWith('on') || /javascript:/.test(it.value))).length"
    assert opened.page.evaluate(wrong) == 0
    assert opened.page.get_by_text("<script>document.title='owned'</script>").count() > 3


def test_even_a_script_that_got_onto_the_page_would_not_run(pages: t.Any) -> None:
    opened = pages.open("fleet")
    opened.page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'window.owned = 1'; document.body.append(one);"
        " const image = document.createElement('img'); image.src = 'http://127.0.0.1:9/'; document.body.append(image); }"
    )
    opened.page.wait_for_function("() => performance.now() > 0")
    assert opened.page.evaluate("window.owned") is None
    assert any("Content Security Policy" in said and "script" in said for said in opened.said)
    assert any("Content Security Policy" in said and "img" in said for said in opened.said)
