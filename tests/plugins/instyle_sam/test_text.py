"""The segmenter: one of two methods, and a text that it cannot do without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from instyle_core import InputError, Prompt, Segmentation, WeightsError, testing
from instyle_sam.params import TextParams
from instyle_sam.text import Text


def text(nets: Path, method: str, **settings: Any) -> Text:
    name = "clipseg" if method == "clipseg" else "grounding-dino"
    sam = {} if method == "clipseg" else {"sam": str(nets / "sam")}
    folder = str(nets / name)
    return Text(
        TextParams.model_validate({"method": method, "pretrained": folder, **sam, **settings})
    )


@pytest.mark.parametrize("method", ["clipseg", "dino-sam"])
def test_what_it_promises(nets: Path, method: str) -> None:
    segmenter = text(nets, method, threshold=0.05)
    for size in ((40, 60), (1, 7), (90, 3)):
        image = testing.picture(*size)
        seen: Segmentation = testing.check_segmenter(segmenter, image, Prompt(text=" a cat "))
        assert seen.classes == ("background", "object")
        assert (seen.instances is None) == (method == "clipseg")
        again = segmenter.segment(image, Prompt(text="a cat"))
        assert torch.equal(again.probabilities, seen.probabilities)


@pytest.mark.parametrize("method", ["clipseg", "dino-sam"])
@pytest.mark.parametrize("words", [None, "", "  "])
def test_without_a_text(nets: Path, method: str, words: str | None) -> None:
    segmenter = text(nets, method)
    with pytest.raises(InputError, match="needs to be told what to look for") as caught:
        segmenter.segment(testing.picture(20, 30), Prompt(text=words, points=((3, 4),)))
    assert caught.value.exit_status == 2
    assert "select: {text: " in str(caught.value.hint)


def test_offline() -> None:
    for settings, name in (({}, "grounding-dino-tiny"), ({"method": "clipseg"}, "clipseg-rd64")):
        with pytest.raises(WeightsError, match=f"'{name}.*INSTYLE_OFFLINE forbids") as caught:
            Text(TextParams(**settings))
        assert f"instyle models pull {name}" in str(caught.value.hint)
