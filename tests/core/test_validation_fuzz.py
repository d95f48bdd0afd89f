"""What is called fine is carried out: random specs, most of them valid or nearly so.

`INSTYLE_FUZZ` is the number of specs; the few of the suite are the first of the same sequence.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from instyle_core.config.plan import load_plan
from instyle_core.errors import InstyleError, SpecError
from instyle_core.pipeline import run
from instyle_core.validation import problems
from tests.core.helpers.studio import Studio, noise, rectangle, save

SPECS = int(os.environ.get("INSTYLE_FUZZ", "8"))

#: The photo's side, in pixels.
SIDE = 32

#: What only the pixels tell.
OF_PIXELS = re.compile(
    r"no .* was found|there is no instance|nothing is left|too little to tell|nothing around"
    r"|earlier ones cover|one pixel wide|is not finite|diverged|exploded"
)

ODD: list[Any] = [
    *(None, True, "", "x", 0, -1, 1, 3, 1e308, -1e308, 1e18, 1e-320, float("nan"), float("inf")),
    *(10**400, 2**31, 2**63, [], {}, [1, 2], [[1]], {"use": "tint"}, "\ud800", "\udcff", "a\0b"),
    *("x" * 300, "x" * 5000, ".", "/", "/dev/zero", "pipe", "text.png", "cut.png", "none"),
    *("animated.gif", "huge.png", "photo.png", "out.png", "cuda", "cuda:99", "float16"),
]

FILES = ["style.png", "photo.png", "wide.png", "gray.png", "alpha.png"]


def make_files(folder: Path) -> None:
    from PIL import Image

    save(folder / "photo.png", noise(SIDE, SIDE, seed=1))
    save(folder / "style.png", noise(24, 40, seed=2))
    save(folder / "wide.png", noise(3, 90, seed=3))
    save(folder / "gray.png", rectangle((2, 3, 20, 20), SIDE, SIDE))
    save(folder / "mask.png", rectangle((6, 6, 25, 24), SIDE, SIDE))
    alpha = noise(SIDE, SIDE, seed=4)
    save(folder / "alpha.png", np.dstack([alpha, alpha[..., :1] | 1]))
    (folder / "text.png").write_text("no picture")
    (folder / "cut.png").write_bytes((folder / "style.png").read_bytes()[:20])
    frames = [Image.new("L", (8, 8), level) for level in (0, 255)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    os.mkfifo(folder / "pipe")
    header = (folder / "photo.png").read_bytes()
    (folder / "huge.png").write_bytes(header[:16] + b"\0\1\0\0" * 2 + header[24:])
    (folder / "styles").mkdir()
    for seed in range(2):
        save(folder / "styles" / f"{seed}.png", noise(20, 20, seed=seed))


class Maker:
    """Makes the n-th spec."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)

    def pick(self, *choices: Any) -> Any:
        """One of some values; now and then another one that hardly anybody would write."""
        return self.random.choice(ODD if self.random.random() < 0.02 else choices)

    def some(self, **keys: Any) -> dict[str, Any]:
        """Some of these keys."""
        return {key: value for key, value in keys.items() if self.random.random() < 0.4}

    def select(self) -> dict[str, Any]:
        corners = sorted(self.random.choices(range(SIDE + 1), k=2)) + sorted(
            self.random.choices(range(SIDE + 2), k=2)
        )
        x0, x1, y0, y1 = corners
        return self.some(
            **{"class": self.pick("object", "object", "thing", "background")},
            point=self.pick([self.random.randint(0, SIDE), self.random.randint(-1, SIDE)], [5, 6]),
            box=self.pick([x0, y0, x1, y1], [4, 5, 28, 26], [0, 0, SIDE, SIDE]),
            instance=self.pick("largest", "all", 0, 1),
        )

    def segmenter(self) -> Any:
        refine = self.some(refine=self.pick("none", "guided", {"use": "grabcut"}))
        return self.pick(
            {"use": "stencil", "path": self.pick("mask.png", "gray.png"), **refine},
            {"use": "mask", "path": self.pick("mask.png"), **self.some(invert=self.pick(True))},
            {"use": "grabcut", "iterations": self.pick(1, 2)},
            {"use": "snake", **self.some(balloon=self.pick(-1, 2.5), iterations=self.pick(3))},
            {"use": "region", **self.some(radius=self.pick(0.1), method=self.pick("growing"))},
        )

    def style(self) -> Any:
        images = [self.pick(*FILES) for _ in range(self.random.randint(1, 2))]
        weights = self.some(weights=[self.pick(1, 0.5, 1e9, 1e-9) for _ in images])
        near = {"use": "near"}
        color = {"use": "affinity", "features": self.pick(0), "color": self.pick(0.1, 1e6, 1e-9)}
        return self.pick(
            self.pick(*FILES),
            {"images": images, **weights, **self.some(scale=self.pick(0.1, 2, 10))},
            {"choose_from": self.pick("styles"), "ranker": self.pick(near, color)},
        )

    def loss(self) -> Any:
        weight = {"weight": self.pick(1, 0, 10, 1e12, 1e-12)}
        extra = self.random.choice(
            [
                {"use": "tint", **self.some(color=[self.pick(0, 1, 0.5) for _ in range(3)])},
                {"use": "inks"},
                {"use": "tv", **self.some(reduction=self.pick("sum", "mean", "relative"))},
                {"use": "palette", **self.some(samples=self.pick(16, 64), directions=self.pick(1))},
                {"use": "laplacian", **self.some(pools=[self.pick(1, 2, 0.1)])},
                {"use": "content", "extractor": "pixels", "layers": [self.pick("cells")]},
                {"use": "style", "extractor": "pixels", "layers": ["cells", self.pick("cells")]},
                {"use": "transport", "extractor": "pixels", "layers": [self.pick("cells")]},
                {"use": "self-similarity", "extractor": "pixels", "layers": ["cells"]},
            ]
        )
        return {**extra, **self.some(**weight)}

    def merger(self) -> Any:
        return self.pick(
            "hard",
            {"use": "feather", **self.some(width=self.pick(0, 3, 500))},
            {"use": "multiband", **self.some(levels=self.pick(0, 2, 8))},
            {"use": "mrf", **self.some(band=self.pick(0.01, 0.5), width=self.pick(0, 500))},
        )

    def optimizer(self) -> Any:
        common = self.some(
            parametrization=self.pick("pixels", "pyramid"),
            scales=self.pick("auto", 1, 2),
            learning_rate=self.pick(0.01, 10, 1e-9),
            tolerance=self.pick(0, 0.5),
        )
        return self.pick(
            {"use": "adam", "steps": self.pick(1, 2), **common, **self.some(space="imagenet")},
            {"use": "lbfgs", "steps": self.pick(1), **common, **self.some(history=self.pick(1))},
        )

    def losses(self) -> list[Any]:
        return [self.loss() for _ in range(self.random.randint(1, 3))]

    def object(self) -> Any:
        return {
            "segmenter": self.segmenter(),
            **self.some(
                select=self.select(),
                style=self.style(),
                color=self.pick("style", "content", {"of": "content", "by": "histogram"}),
                losses=self.losses(),
                merger=self.merger(),
            ),
        }

    def spec(self) -> dict[str, Any]:
        return {
            "version": self.pick(1),
            "content": self.pick("photo.png", "alpha.png", "gray.png"),
            "output": self.pick("out.png", "out.jpg", "out.webp", "out.tif"),
            "style": self.style(),
            "losses": self.losses(),
            "merger": self.merger(),
            "optimizer": self.optimizer(),
            "size": self.pick(32, 33, 48),
            "device": self.pick("cpu", "auto"),
            **self.some(
                objects=[self.object() for _ in range(self.random.randint(1, 2))],
                shrink=self.pick(32, 40, 16384),
                margin=self.pick(0, 0.1, 2),
                start=self.pick("content", "noise", "photo.png"),
                seed=self.pick(0, 2**32 - 1),
                precision=self.pick("float32", "bfloat16", "float16", "auto"),
                tile=self.pick("auto", 64, 4096),
                snapshots=self.pick(0, 1),
                max_megapixels=self.pick(100, 1),
                extractors={"pixels": self.pick("pixels", {"use": "pixels"})},
                color=self.pick("style", "content"),
            ),
        }


@pytest.mark.parametrize("number", range(SPECS))
def test_what_is_called_fine_is_carried_out(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.chdir(tmp_path)
    make_files(studio.folder)
    spec = Maker(number).spec()
    written = yaml.safe_dump(spec)
    (tmp_path / "spec.yaml").write_text(written, encoding="utf-8")
    plan, told = attempt(lambda: load_plan(spec if number % 2 else tmp_path / "spec.yaml"))
    if plan is None:
        assert isinstance(told, SpecError), f"{told}\n{written}"
        assert not [p for p in told.problems if "Error" in p.what], f"{told}\n{written}"
    elif not problems(plan):
        result, told = attempt(lambda: run(plan))
        assert result or OF_PIXELS.search(str(told)), f"{told}\n{written}"


def attempt(what: Callable[[], Any]) -> tuple[Any, InstyleError | None]:
    """What comes of it, or what is told to people instead."""
    try:
        return what(), None
    except InstyleError as error:
        return None, error
