"""Specs as texts, and the plans that are made of them with the installed plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from instyle_core.config import plan
from instyle_core.config.document import Document
from instyle_core.errors import SpecError

SPEC = """\
version: 1
content: photo.jpg
output: out.png
style: painting.jpg
"""

#: Nearly every key.
RICH = """\
version: 1
content: photo.jpg
output: out.webp
segmenter: {use: mask, path: painting.jpg, invert: true}
style: {images: [painting.jpg, other.jpg], weights: [2, 1e-3], scale: 0.5}
extractors: {mine: {use: vgg19, pooling: average}, unused: vgg19}
losses:
  - {use: content, weight: 1e-7, extractor: mine, layers: [conv4_2]}
  - {use: style, weight: 12345678.9, layer_weights: [1, 2, 3, 4, 5]}
  - tv
objects:
  - select: {class: 'no', point: [1, 2], box: [0, 0, 9, 9], instance: 3}
  - {style: other.jpg, merger: {use: feather, matte: probability}}
optimizer: {use: lbfgs, steps: 3, scales: 2}
size: 100
margin: 0.25
start: other.jpg
seed: 4294967295
device: cuda:1
precision: bfloat16
snapshots: 5
max_megapixels: 0.5
"""

SPECS = {
    **{f"preset {name}": plan.preset_text(name) for name in plan.PRESETS},
    "short": SPEC,
    "rich": RICH,
}


def load(folder: Path, text: str, *assignments: str, name: str = "a.yaml") -> plan.Plan:
    """The plan of a text that is written to a file of a folder, with assignments by ``--set``."""
    (folder / name).write_text(text, encoding="utf-8")

    def change(document: Document) -> None:
        for assignment in assignments:
            document.set(assignment)

    return plan.load_plan(folder / name, change)


def problems(folder: Path, text: str, *assignments: str) -> list[str]:
    """All that is wrong with a text, each with its line."""
    with pytest.raises(SpecError) as caught:
        load(folder, text, *assignments)
    return [str(problem).replace(f"{folder}/a.yaml:", "") for problem in caught.value.problems]
