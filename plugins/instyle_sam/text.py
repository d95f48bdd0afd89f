"""The segmenter ``text``: an object by words."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from torch import Tensor

from instyle_core import InputError, Prompt, Segmentation, Segmenter
from instyle_sam.clipseg import Clipseg
from instyle_sam.dino_sam import DinoSam
from instyle_sam.params import TextParams


class Text(Segmenter):
    """What a text names, by `DinoSam` or `Clipseg`.

    Raises:
        WeightsError: a network cannot be downloaded or loaded.
    """

    def __init__(self, params: TextParams) -> None:
        self._find = Clipseg(params) if params.method == "clipseg" else DinoSam(params)

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment into ``background`` and ``object``; of the prompt, the text alone is used.

        Raises:
            InputError: there is no text, it is too long, or nothing fits it.
            WeightsError: a network fails.
        """
        text = (prompt.text or "").strip()
        if not text:
            raise InputError(
                "text needs to be told what to look for",
                hint="say it in a few words: `select: {text: a red teapot}`",
            )
        return self._find(image, text)
