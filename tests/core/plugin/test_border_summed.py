"""Summed losses, whole and in tiles."""

from __future__ import annotations

import pytest

from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.studio import Studio, listing

TILED = {"size": 256, "tile": 64, "objects": None, "optimizer": {"steps": 2, "scales": 1}}


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("sums None", ["prepare() raised TypeError"]),
        ("sums a tensor", ["prepare() raised TypeError"]),
        ("sums a float", ["one of sums() is a float; it should be a tensor"]),
        ("sums detached", ["sums() is without a gradient to the picture"]),
        ("sums read more", ["the layer 'fine' of 'bad' is read"]),
        ("summed reads more", ["the layer 'fine' of 'bad' is read"]),
        ("value raises", ["value() raised RuntimeError: it broke"]),
        ("value None", ["value() is None; it should be a tensor"]),
        ("value a vector", ["value() is of the shape (1,); it should be of ()"]),
        ("value no gradient", ["value() is without a gradient to the picture"]),
        ("value detached", ["value() is without a gradient to the picture"]),
        ("value NaN", ["value() is NaN in places"]),
        ("value below 0", ["value() is -", "from 0 to inf"]),
    ],
)
def test_a_summed_loss_of_a_whole_picture_and_of_tiles(
    instyle: Command, broken: Studio, tiled: bool, fault: str, words: list[str]
) -> None:
    loss = {"use": "bad-sums", "fault": fault}
    before = listing(broken.folder)
    changes = TILED if tiled else {"objects": None}
    done = instyle("pipeline", "run", broken.spec(losses=[loss], **changes), "--quiet")
    who = "the loss 'bad-sums' of instyle-broken 2.3 is broken: "
    assert_error(done, 1, who, *(words if tiled else []))
    assert set(listing(broken.folder)) == {*before, "spec.yaml"}


def test_a_summed_loss_that_is_fine(instyle: Command, broken: Studio) -> None:
    spec = broken.spec(losses=[{"use": "bad-sums"}], **TILED)
    assert instyle("pipeline", "run", spec, "--quiet").status == 0


def test_an_extractor_is_blamed_for_its_tiles(instyle: Command, broken: Studio) -> None:
    changes = {"extractors": {"bad": {"use": "bad", "fault": "one more"}}, **TILED}
    done = instyle("pipeline", "run", broken.spec(losses=[{"use": "bad-sums"}], **changes))
    assert done.status == 1
    assert "the extractor 'bad' of instyle-broken 2.3 is broken: extract()['cells']" in done.err
