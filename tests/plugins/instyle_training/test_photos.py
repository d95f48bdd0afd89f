"""Which photos a training has."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from instyle_core import InputError
from instyle_training.photos import chosen, open_photos, summaries
from instyle_training.voc import Summary
from tests.plugins.instyle_training.shapes import write_sbd, write_voc
from tests.plugins.instyle_training.small import PLAIN


def test_voc_and_what_sbd_adds(tmp_path: Path) -> None:
    voc = write_voc(tmp_path / "voc", train=["a", "b"], val=["c"])
    sbd = write_sbd(tmp_path / "sbd", ["a", "x"], ["c", "y"])
    train, val = open_photos(voc, None)
    assert ([part.names for part in train], val.names) == ([["a", "b"]], ["c"])
    train, val = open_photos(voc, sbd)
    assert ([part.names for part in train], val.names) == ([["a", "b"], ["x", "y"]], ["c"])
    both, judged = summaries(train, val)
    assert both.sizes == ((48, 64),) * 4
    assert both.sha256 == hashlib.sha256(b"a\nb\nx\ny\n").hexdigest()
    assert judged.photos == {"background": 1, "cat": 1, "dog": 1}


SUMMARY = Summary(((48, 64), (47, 90), (90, 48), (10, 10)), {}, "")


def test_small_photos() -> None:
    recipe = replace(PLAIN, crop=48, batch=2)
    assert chosen(SUMMARY, recipe) == [0, 2]
    assert chosen(SUMMARY, replace(recipe, small="pad")) == [0, 1, 2, 3]


@pytest.mark.parametrize(("small", "found"), [("skip", 2), ("pad", 4)])
def test_less_than_a_batch(small: str, found: int) -> None:
    recipe = replace(PLAIN, crop=48, batch=found + 1, small=small)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"{found} of 4 photos") as caught:
        chosen(SUMMARY, recipe)
    assert caught.value.where == "--data"
    assert ("--crop" in str(caught.value.hint)) == (small == "skip")
