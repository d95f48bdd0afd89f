"""Files that are no specs: pipes, devices, too much of anything, and whatever else there may be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instyle_core.config.document import Document
from instyle_core.config.plan import load_plan
from instyle_core.errors import InputError, SpecError
from tests.core.helpers.pictures import FEW


def refused(path: str | Path) -> str:
    with pytest.raises(InputError) as caught:
        load_plan(Path(path))
    return str(caught.value)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it
    assert "this is a pipe or a device, not a file" in refused(tmp_path / "pipe")
    assert "this is a pipe or a device, not a file" in refused("/dev/zero")
    assert "this is a pipe or a device, not a file" in refused("/dev/null")
    (tmp_path / "link").symlink_to(tmp_path / "link")
    assert "cannot be read" in refused(tmp_path / "link")
    assert "cannot be read" in refused(tmp_path / ("x" * 300))
    assert "this is no name of a file" in refused(tmp_path / "a\0b")
    assert "there is no such file" in refused(tmp_path / "\udcff.yaml")


def test_too_much(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# " + "x" * 8_000_000)
    assert "this is no spec: it has more than 8,000,000 bytes" in refused(path)
    path.write_text("[" * 60 + "]" * 60)
    assert "nested too deeply" in refused(path)
    path.write_text("- x\n" * 100_001)
    assert "more than 100,000 values" in refused(path)


def test_merges_of_merges_do_not_multiply() -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    for number in range(1, 40):
        merged = ", ".join([f"*a{number - 1}"] * 4)
        lines.append(f"a{number}: &a{number} {{<<: [{merged}]}}")
    document = Document.parse("\n".join(lines), "a.yaml", Path())
    assert document.data["a39"] == {"x": 1, "y": 2}


WILD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([10**400, "\ud800", "\0", "a" * 500, "/dev/zero", "~nobody", ""])
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYS = (
    *("version", "content", "output", "objects", "style", "segmenter", "losses", "merger"),
    *("extractors", "optimizer", "size", "shrink", "margin", "start", "seed", "device"),
    *("precision", "tile", "snapshots", "max_megapixels", "color", "\ud800", "1"),
)


@given(st.dictionaries(st.sampled_from(KEYS), WILD, max_size=8), st.booleans(), st.booleans())
@settings(FEW)
def test_a_record_of_anybody_is_refused_in_words(
    tmp_path: Path, spec: dict[str, Any], whole: bool, ascii_only: bool
) -> None:
    path = tmp_path / "run.json"
    record = {"instyle": 3, "spec": spec, "root": 10**400} if whole else spec
    text = json.dumps(record, ensure_ascii=ascii_only)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    refused(path)


@given(st.dictionaries(st.sampled_from(KEYS), WILD, max_size=8))
@settings(FEW)
def test_a_dictionary_of_anything_is_refused_in_words(spec: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        load_plan(spec)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("device", "\udcff"),
        ("content", "\udcff.jpg"),
        ("start", "\udcff"),
        ("style", {"choose_from": "\udcff"}),
        ("tile", "\udcff"),
        ("output", "no\udcff/x.png"),
        ("precision", "\udcff"),
        ("segmenter", {"use": "smp", "pretrained": "\udcff"}),
        ("segmenter", {"use": "fcn8s", "\udcff": 1}),
    ],
)
def test_half_a_character_is_told_with_its_key(folder: Path, key: str, value: Any) -> None:
    files = {"content": folder / "photo.jpg", "style": str(folder / "painting.jpg")}
    spec = {"version": 1, **files, "output": str(folder / "out.png"), key: value}
    with pytest.raises(SpecError) as caught:
        load_plan(spec)
    (problem,) = caught.value.problems
    assert f"{key}" in problem.what
    assert "\\udcff" in problem.what
    assert "codec" not in problem.what


def test_a_name_that_is_not_utf_8_is_a_file(folder: Path) -> None:
    (folder / "photo.jpg").rename(folder / "photo\udcff.jpg")
    (folder / "a.json").write_text(
        '{"version": 1, "content": "photo\\udcff.jpg", "style": "painting.jpg", "output": "o.png"}'
    )
    assert load_plan(folder / "a.json").spec.content == folder / "photo\udcff.jpg"
