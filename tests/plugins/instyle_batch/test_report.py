"""batch.json and the contact sheet: what is in them, in which order, and nothing else."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from instyle_batch import report as module
from instyle_batch.job import Job, Outcome, Status, Task
from instyle_batch.report import Report, pages


class Page(HTMLParser):
    """What a page shows and links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "href":
                self.links.append(unquote(value or "", errors="surrogateescape"))
            elif name == "src":
                self.images.append(unquote(value or "", errors="surrogateescape"))

    def handle_data(self, data: str) -> None:
        self.text += data


def outcome(name: str, status: Status = "done", reason: str = "") -> Outcome:
    return Outcome(Job(name, f"/photos/{name}"), status, 1.0, reason)


def test_the_last_outcome_of_a_photo_counts() -> None:
    report = Report()
    for status in ("busy", "failed", "busy", "done"):
        report.add(outcome("a.png", status))
    report.add(outcome("b.png", "skipped"))
    report.add(outcome("c.png", "busy"))
    assert report.counts == {"done": 1, "skipped": 1}
    assert [(o.job.name, o.status) for o in report.outcomes] == [
        ("a.png", "done"),
        ("b.png", "skipped"),
    ]
    assert len(report) == 2


def test_what_is_written(tmp_path: Path) -> None:
    report = Report()
    report.add(outcome("a.png"))
    report.add(outcome("é\udcff.png", "failed", "bytes that are no text"))
    report.write(Task("spec.yaml", str(tmp_path)), {"spec": "spec.yaml", "seconds": 2.0}, 3)
    data = (tmp_path / "batch.json").read_bytes()
    told = json.loads(data.decode("utf-8", "surrogateescape"))
    assert told["counts"] == {"done": 1, "failed": 1, "missing": 3}
    assert told["seconds"] == 2.0
    assert [row["name"] for row in told["photos"]] == ["a.png", "é\udcff.png"]
    text = (tmp_path / "batch.html").read_bytes().decode("utf-8", "surrogateescape")
    assert "1 failed" in Page(text).text
    assert "3 not come to" in Page(text).text


def test_failures_come_first_with_their_reasons_and_are_escaped() -> None:
    rows = [
        outcome("fine & good.png"),
        outcome("<script>alert(1)</script>.png", "failed", "<img src=x onerror=alert(1)>"),
        outcome("half.png", "interrupted"),
    ]
    report = Report()
    for row in rows:
        report.add(row)
    ((_, text),) = pages(report.outcomes, 0)
    page = Page(text)
    assert "script" not in page.tags
    assert page.text.index("alert(1)</script>.png") < page.text.index("half.png")
    assert page.text.index("half.png") < page.text.index("fine & good.png")
    assert "<img src=x onerror=alert(1)>" in page.text
    assert page.images == [
        ".instyle-batch/pairs/half.png.jpg",
        ".instyle-batch/pairs/fine & good.png.jpg",
    ]
    assert "fine & good.png" in page.links
    assert "fine & good.png.run/report.html" in page.links


def test_many_photos_are_on_several_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ON_A_PAGE", 3)
    found = dict(pages([outcome(f"{number}.png") for number in range(7)], 0))
    assert [*found] == ["batch.html", "batch-2.html", "batch-3.html"]
    shown = [Page(text).images for text in found.values()]
    assert [len(images) for images in shown] == [3, 3, 1]
    assert len({image for images in shown for image in images}) == 7
    assert {"batch-2.html", "batch-3.html"} <= {*Page(found["batch.html"]).links}


def test_nothing_at_all() -> None:
    ((_, text),) = pages([], 2)
    assert "2 not come to" in Page(text).text
