# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The elements that the report page is put together from. Whatever is not an element is escaped, wherever it comes from. PRIVATE."""

from __future__ import annotations

import datetime
import html
import re
import typing as t


class Html(str):
    """A piece of a page: what is in it was escaped."""

    __slots__ = ()


_EMPTY = frozenset({"meta", "br"})
_FRACTION = re.compile(r"\.\d+")


def tag(element: str, /, *children: t.Any, **attributes: t.Any) -> Html:
    """The element *element* with its *children*, of which every one that is no :class:`Html` is text.

    :arg attributes: ``class_`` is ``class``, ``aria_label`` is ``aria-label``. ``None`` leaves one out.
    """
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value), quote=True)}"' for key, value in attributes.items() if value is not None)
    return Html(f"<{element}{said}>" if element in _EMPTY else f"<{element}{said}>{join(*children)}</{element}>")


def join(*children: t.Any) -> Html:
    """*children* one after the other, text escaped."""
    return Html("".join(child if isinstance(child, Html) else html.escape(str(child), quote=True) for child in children))


def words(text: str, **attributes: t.Any) -> Html:
    """Text from outside: whichever way it runs, it does not turn what stands beside it."""
    return tag("bdi", text, **attributes)


def code(text: str) -> Html:
    """The same as code."""
    return tag("code", words(text))


def chip(status: str) -> Html:
    """A status: a word, and its colour."""
    return tag("span", status, class_=f"chip {status.replace(' ', '-')}")


def hidden(text: str) -> Html:
    """What only a screen reader says."""
    return tag("span", text, class_="hidden")


def count(number: int, one: str, many: str | None = None) -> str:
    """``3 hosts``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(text: str) -> datetime.datetime | None:
    """The time that *text* says, in UTC, or ``None``."""
    # Python 3.10 reads three or six digits behind a point, and no more.
    text = _FRACTION.sub(lambda found: f"{found[0]:0<7}"[:7], text.replace("Z", "+00:00"), count=1)
    try:
        found = datetime.datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=datetime.timezone.utc)).astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError):
        # There is no such day, or it lies before the first or after the last one in UTC.
        return None


def age(text: str, now: str) -> str:
    """How long *text* is ago, in one unit; empty where nobody can tell."""
    then, until = moment(text), moment(now)
    if then is None or until is None:
        return ""
    seconds = (until - then).total_seconds()
    if seconds < 0:
        return "yet to come"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size):,} {unit}"
    return "now"


def when(text: str, now: str) -> Html:
    """A time, to the minute, with how long ago it is."""
    found = moment(text)
    if found is None:
        return words(text)
    utc = found.isoformat()[:16]
    return join(tag("time", utc.replace("T", " "), datetime=f"{utc}Z"), tag("span", f" ({age(text, now)})", class_="soft"))


def table(caption: str, heads: t.Sequence[t.Any], rows: t.Iterable[Html], *, label: str, class_: str | None = None) -> Html:
    """A table in a box of its own, which scrolls, also by keyboard, where there is little room."""
    head = tag("tr", *(one if isinstance(one, Html) else tag("th", one, scope="col") for one in heads))
    inner = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *rows), class_=class_)
    return tag("div", inner, class_="box", role="region", tabindex="0", aria_label=label)


def pairs(*found: tuple[str, t.Any]) -> Html:
    """Terms and what there is to say of each; what is empty is left out."""
    return tag("dl", *(tag("div", tag("dt", term), tag("dd", said)) for term, said in found if said != ""), class_="pairs")


def spark(days: t.Sequence[dict[str, t.Any]], until: str, span: int, *, key: str, what: str) -> Html:
    """How *key* went day by day, as bars, with the same in words.

    :arg until: The last day of the *span* days.
    """
    end = moment(until)
    if end is None or not days:
        return tag("span", "none", class_="soft")
    first = (end - datetime.timedelta(days=span - 1)).date()
    found = {}
    for day in days:
        then = moment(day["day"])
        at = (then.date() - first).days if then is not None else -1
        if 0 <= at < span:
            found[at] = day
    most = max((day[key] for day in found.values()), default=0)
    if not most:
        return tag("span", "none", class_="soft")
    paths = {"bar": "", "bad": ""}
    for at, day in sorted(found.items()):
        height = max(2, round(20 * day[key] / most)) if day[key] else 0
        bad = min(height, max(2, round(height * day["bad"] / day["runs"]))) if day["bad"] and day["runs"] else 0
        for kind, low, high in (("bar", bad, height), ("bad", 0, bad)):
            if high > low:
                paths[kind] += f"M{at * 4} {22 - low}v-{high - low}h3v{high - low}z"
    total, wrong = sum(day[key] for day in found.values()), sum(day["bad"] for day in found.values())
    top = next(at for at, day in sorted(found.items()) if day[key] == most)
    said = f"{what} a day, {span} days: {total:,} in all, most {most:,} on {first + datetime.timedelta(days=top)}; {count(wrong, 'bad run')}"
    drawn = [tag("path", class_=kind, d=path) for kind, path in paths.items() if path]
    return tag("svg", *drawn, viewBox=f"0 0 {span * 4} 24", role="img", aria_label=said, class_="spark", preserveAspectRatio="none")
