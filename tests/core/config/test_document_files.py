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
from instyle_core.errors import InputError
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
