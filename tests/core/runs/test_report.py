"""The report of a run: its structure, its pictures, its numbers, and names of any kind."""

from __future__ import annotations

import hashlib
import math
import os
import re
from base64 import b64encode
from collections.abc import Sequence
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.config.plan import load_plan
from instyle_core.pipeline import Result, run
from instyle_core.runs import report
from tests.core.helpers.imports import command, imported_by
from tests.core.helpers.pictures import FEW
from tests.core.helpers.runs import record, rows, two_objects
from tests.core.helpers.studio import HEIGHT, WIDTH, Studio, save

VOID = {"img", "input", "meta"}


class Page(HTMLParser):
    """Checks that tags are closed in order; collects what the page has.

    Attributes:
        tags: the names of all tags, in order.
        links: what pictures refer to.
        curves: the points of each line in the charts.
        cells: the text of each cell of each row, of all tables.
        words: all text.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.curves: list[str] = []
        self.cells: list[list[str]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name in ("src", "href")]
        self.curves += [value or "" for name, value in attributes if name == "points"]
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1][-1] += data


# --- the page of a record -------------------------------------------------------------------------


def losses(**terms: Sequence[float]) -> list[dict[str, Any]]:
    """The rows of an object: a value of each term at every step."""
    steps = zip(*terms.values(), strict=True)
    rows = enumerate(steps, start=1)
    common = {"object": "object-0", "height": 4, "width": 5}
    return [{**common, "step": n, **dict(zip(terms, values, strict=True))} for n, values in rows]


def page_of(
    rows: Sequence[Any] = (), picture: str = "out.png", photo: str | None = None, **changes: Any
) -> Page:
    facts = {
        "status": "finished",
        "reason": "",
        "seconds": {"total": 3.14159, "read": 0.5},
        "notes": [],
        "objects": {"object-0": {"pixels": 100}},
        **changes,
    }
    return Page(report.page(facts, rows, picture, photo))


names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@FEW
@given(name=names, text=st.text(min_size=1))
def test_no_text_adds_or_ends_a_tag(name: str, text: str) -> None:
    def made(name: str, text: str) -> Page:
        rated = [{"picture": f"styles/{name}", "score": 0.1, "figures": {text: 1.0}}]
        objects = {"object-0": {"pixels": 1, "style": {"ranking": rated}}}
        row = losses(total=[1.0, 2.0])[0] | {text: 3.0}
        more = {"notes": [text], "reason": text, "objects": objects}
        return page_of([row], name, status="diverged", **more)

    found, plain = made(name, text), made("a.png", "total time")
    assert found.tags == plain.tags
    assert found.cells[0] == ["style", "score", text]
    assert found.cells[1] == [name, "0.1", "1"]
    assert f"diverged: {text}, 3.1 s." in found.words
    assert f"{text} 3" in found.words


@given(name=st.binary(min_size=1).filter(lambda name: not {0, ord("/")} & set(name)))
def test_the_link_to_the_picture_is_the_bytes_of_its_name(name: bytes) -> None:
    link = page_of(picture=os.fsdecode(name)).links[0]
    assert link.startswith("../")
    assert link.isascii()
    assert unquote_to_bytes(urlsplit(link).path.removeprefix("../")) == name


@given(name=st.binary(min_size=1).filter(lambda name: not {0, ord("/")} & set(name)))
def test_the_address_of_the_photo_is_the_bytes_of_its_path(name: bytes) -> None:
    path = Path(os.fsdecode(b"/a/photos/" + name))
    link = report.link_to(path, "/a/runs/out.png.run")
    assert link.isascii()
    assert page_of(photo=link).links[1] == link
    whole = os.path.normpath(os.path.join(b"/a/runs/out.png.run", unquote_to_bytes(link)))
    assert whole == os.path.normpath(b"/a/photos/" + name)


def test_without_a_photo_there_is_nothing_to_compare() -> None:
    assert "script" not in page_of().tags
    assert "input" not in page_of().tags


def test_its_policy_allows_its_own_style_and_script_alone() -> None:
    text = report.page({"objects": {}, "seconds": {"total": 1}}, [], "out.png", "../p.png")
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0]
    rules = dict(rule.split(" ", 1) for rule in unescape(policy).split("; "))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    # Such a policy allows no attribute with a script or a style in it.
    assert not re.search(r"<[^>]+\s(on\w+|style)=", text)


def test_times_are_in_a_table() -> None:
    assert page_of().cells == [["total", "3.14 s"], ["read", "0.50 s"]]


def test_what_an_object_lacks_is_left_out() -> None:
    found = page_of(objects={"picture": {}, "object-1": {"pixels": 4}})
    assert found.links[1:] == [
        "picture/stylized.png",
        "object-1/mask.png",
        "object-1/stylized.png",
    ]
    assert "svg" not in found.tags


def test_a_figure_that_a_picture_lacks_is_an_empty_cell() -> None:
    ranking = [
        {"picture": "styles/a.png", "score": 0.123456, "figures": {"color": 2.0}},
        {"picture": "styles/b.png", "score": 12345.678, "figures": {"Color": 0.0, "color": 3}},
    ]
    found = page_of(objects={"object-0": {"style": {"ranking": ranking}}})
    assert found.cells[:3] == [
        ["style", "score", "color", "Color"],
        ["a.png", "0.1235", "2", ""],
        ["b.png", "1.235e+04", "3", "0"],
    ]


values = st.floats(1e-12, 1e12)


@FEW
@given(terms=st.lists(st.tuples(values, values), min_size=2, max_size=30))
def test_a_chart_has_steps_to_the_right_and_the_logarithm_upwards(terms: list[Any]) -> None:
    first, second = zip(*terms, strict=True)
    found = page_of(losses(total=first, style=second))
    curves = [[tuple(map(float, p.split(","))) for p in line.split()] for line in found.curves]
    low, high = math.log(min(first + second)), math.log(max(first + second))
    for curve, term in zip(curves, (first, second), strict=True):
        for step, ((x, y), value) in enumerate(zip(curve, term, strict=True), start=1):
            assert x == pytest.approx(640 * step / len(terms), abs=0.06)
            if high - low > 1e-6:
                expected = 200 * (high - math.log(value)) / (high - low)
                assert y == pytest.approx(expected, abs=0.06)
    assert f"total {first[-1]:.4g}" in found.words
    assert f"style {second[-1]:.4g}" in found.words


def test_a_chart_leaves_out_what_has_no_logarithm() -> None:
    found = page_of(losses(total=[4.0, 0.0, 1.0], zero=[0.0, 0.0, 0.0]))
    assert found.curves == ["213.3,0.0 640.0,200.0", ""]
    assert "zero 0" in found.words
    assert page_of(losses(total=[0.0, 0.0])).curves == []


def test_commands_that_write_no_report_do_not_import_jinja() -> None:
    assert "jinja2" not in imported_by(command("plugins", "list"))


# --- the report of a run --------------------------------------------------------------------------


def target(result: Result, link: str) -> Path:
    """The file that a browser would show for a link in the report."""
    assert not urlsplit(link).netloc
    return Path(os.path.normpath(result.folder / unquote(urlsplit(link).path)))


def page(result: Result) -> Page:
    return Page((result.folder / "report.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "name", ["out.png", "a b.png", "100% <b>&amp; #1?.jpg", "Öl'画\".webp", "%41.png"]
)
def test_the_report_is_well_formed_and_its_pictures_exist(studio: Studio, name: str) -> None:
    result = two_objects(studio, output=name)
    found = page(result)
    assert len(found.links) == 2 + 2 * 2
    files = {target(result, link) for link in found.links}
    parts = ("object-0", "object-1")
    pictures = {
        result.folder / part / f"{kind}.png" for part in parts for kind in ("mask", "stylized")
    }
    assert files == {result.output, result.content, *pictures}
    assert all(path.is_file() for path in files)
    assert name in found.words
    assert found.tags.count("svg") == 2
    assert found.tags.count("polyline") == 2 + 3  # total and terms
    assert found.tags.count("script") == 1
    assert not any("//" in link for link in found.links)  # nothing from elsewhere


def test_the_report_of_a_whole_picture(studio: Studio) -> None:
    result = studio.run(objects=None)
    found = page(result)
    expected = {result.output, result.content, result.folder / "picture" / "stylized.png"}
    assert {target(result, link) for link in found.links} == expected


def test_the_report_says_how_it_ended(studio: Studio) -> None:
    losses = [{"use": "tint"}, {"use": "fault", "kind": "nan", "at": 3}]
    found = page(studio.run(losses=losses))
    assert "diverged" in found.words
    assert "'fault'" in found.words


def test_the_report_of_an_objective_that_is_zero(studio: Studio) -> None:
    # Nothing to draw on a logarithmic scale. At 128 pixels, nothing is resized.
    save(studio.folder / "photo.png", np.full((128, 128, 3), (255, 0, 0), np.uint8))
    result = studio.run(objects=None, size=128)
    assert [float(row["total"]) for row in rows(result)] == [0, 0, 0, 0]
    assert "svg" not in page(result).tags


def test_the_chart_falls_where_the_losses_fall(studio: Studio) -> None:
    save(studio.folder / "photo.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    result = studio.run()
    text = (result.folder / "report.html").read_text(encoding="utf-8")
    points = text.partition('points="')[2].partition('"')[0].split()
    x, y = zip(*[map(float, point.split(",")) for point in points], strict=True)
    assert len(points) == 4
    assert list(x) == sorted(x)
    assert list(y) == sorted(y)  # y points down
    values = np.log([float(row["total"]) for row in rows(result)])
    expected = (values[0] - values) / (values[0] - values[-1]) * y[-1]
    np.testing.assert_allclose(y, expected, atol=0.06)


def test_the_output_s_name_may_be_any_bytes(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(studio.folder)
    name = os.fsdecode(b"\xe9.png")
    plan = load_plan(studio.spec(), lambda document: document.assign("output", name, "--output"))
    result = run(plan)
    assert result.status == "finished"
    assert os.fsencode(name) in os.listdir(os.fsencode(studio.folder))
    assert record(result)["spec"]["output"] == f"../{name}"
    page = (result.folder / "report.html").read_text("utf-8")
    assert 'src="../%E9.png"' in page
