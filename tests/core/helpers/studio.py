"""A folder with a photo, a style and a mask, and specs that use the toy plugin on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from instyle_core.config.plan import Plan, load_plan
from instyle_core.events import Event, Observer, ignore
from instyle_core.pipeline import Result
from instyle_core.pipeline import run as run_plan

TOY = Path(__file__).with_name("toy")

#: The width and height of the photo; no side is a power of two.
WIDTH, HEIGHT = 60, 44

#: The object: x0, y0, x1, y1.
BOX = (20, 10, 41, 31)


def noise(height: int = HEIGHT, width: int = WIDTH, *, seed: int = 0, depth: int = 8) -> np.ndarray:
    """Random samples (height, width, 3), RGB."""
    kind = np.uint8 if depth == 8 else np.uint16
    return np.random.default_rng(seed).integers(0, 2**depth, (height, width, 3), dtype=kind)


def rectangle(
    box: tuple[int, int, int, int], height: int = HEIGHT, width: int = WIDTH
) -> np.ndarray:
    """A mask (height, width), 0 or 255."""
    mask = np.zeros((height, width), np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    return mask


def save(path: Path, samples: np.ndarray) -> Path:
    """Write samples, gray, RGB or RGBA, 8 or 16 bits; by OpenCV, not by the code that is tested."""
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}
    samples = samples[..., None] if samples.ndim == 2 else samples
    done, data = cv2.imencode(
        path.suffix, np.ascontiguousarray(samples[..., order[samples.shape[2]]])
    )
    assert done
    path.write_bytes(data.tobytes())  # not cv2.imwrite: file names may have any letters
    return path


def read(path: Path) -> np.ndarray:
    """The samples of a file as they are: (H, W) or (H, W, 3 or 4)."""
    samples = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert samples is not None, f"{path} is no picture"
    return samples if samples.ndim == 2 else samples[..., [2, 1, 0, 3][: samples.shape[2]]]


def listing(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, hidden or not, with its content."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@dataclass
class Studio:
    """A folder in which the toy plugin is at work.

    Attributes:
        folder: has photo.png (noise), style.png (one color) and mask.png (a rectangle).
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
        monkeypatch.syspath_prepend(TOY)
        studio = cls(folder)
        save(folder / "photo.png", noise())
        save(folder / "style.png", np.full((24, 32, 3), (200, 100, 50), np.uint8))
        save(folder / "mask.png", rectangle(BOX))
        return studio

    @property
    def photo(self) -> np.ndarray:
        return read(self.folder / "photo.png")

    @property
    def output(self) -> np.ndarray:
        return read(self.folder / "out.png")

    def spec(self, name: str = "spec.yaml", **changes: Any) -> Path:
        """Write a spec; a change to None leaves a key out."""
        data = {
            "version": 1,
            "content": "photo.png",
            "output": "out.png",
            "objects": [{}],
            "style": "style.png",
            "segmenter": {"use": "stencil", "path": "mask.png"},
            "losses": [{"use": "tint"}],
            "merger": {"use": "hard"},
            "optimizer": {
                "use": "adam",
                "parametrization": "pixels",
                "steps": 4,
                "scales": 1,
                "learning_rate": 0.1,
            },
            "size": 64,
            "device": "cpu",
            **changes,
        }
        path = self.folder / name
        data = {key: value for key, value in data.items() if value is not None}
        path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
        return path

    def plan(self, **changes: Any) -> Plan:
        return load_plan(self.spec(**changes))

    def run(self, on_event: Observer = ignore, **changes: Any) -> Result:
        return run_plan(self.plan(**changes), on_event)

    def events(self, **changes: Any) -> list[Event]:
        seen: list[Event] = []
        self.run(seen.append, **changes)
        return seen
