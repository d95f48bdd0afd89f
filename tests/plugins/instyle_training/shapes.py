"""Small data sets in the layouts of VOC and SBD: reddish squares are cats, greenish discs dogs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

Array = NDArray[np.uint8]

CAT, DOG, IGNORED = 8, 12, 255
_COLORS = {0: (70, 80, 160), CAT: (220, 60, 50), DOG: (60, 210, 70)}


def scene(seed: int, height: int = 48, width: int = 64) -> tuple[Array, Array]:
    """A photo (H, W, 3) with a square and a disc, and its mask (H, W) with an ignored rim."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    for label, middle in zip((CAT, DOG), random.permutation([0.27, 0.73]), strict=True):
        row, column = height * random.uniform(0.35, 0.65), width * middle
        dy, dx = abs(y - row), abs(x - column)
        away = np.maximum(dy, dx) if label == CAT else np.hypot(dy, dx)
        radius = random.uniform(0.2, 0.26) * min(height, width * 0.75)
        mask[away < radius + 1] = IGNORED
        mask[away < radius] = label
    noise = random.normal(0, 8, (height, width, 3))
    inked = np.where(mask == IGNORED, 0, mask)
    photo = sum((inked == label)[..., None] * np.array(c) for label, c in _COLORS.items()) + noise
    return photo.clip(0, 255).astype(np.uint8), mask


def write_voc(root: Path, train: int | Sequence[str], val: int | Sequence[str]) -> Path:
    """VOC 2012 as it is unpacked, with so many photos, or with photos of these names."""
    base = root / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (base / folder).mkdir(parents=True)
    lists = {"train": _names("train", train), "val": _names("val", val)}
    lists["trainval"] = [*lists["train"], *lists["val"]]
    for split, names in lists.items():
        write_list(base / "ImageSets" / "Segmentation" / f"{split}.txt", names)
    for seed, name in enumerate(lists["trainval"]):
        write_photo(root, name, *scene(seed))
    return root


def write_photo(root: Path, name: str, photo: Array, mask: Array) -> None:
    """One photo of VOC, without loss but for JPEG's, and its mask."""
    base = root / "VOCdevkit" / "VOC2012"
    Image.fromarray(photo).save(base / "JPEGImages" / f"{name}.jpg", quality=100, subsampling=0)
    indices = Image.fromarray(mask, mode="P") if mask.ndim == 2 else Image.fromarray(mask)
    if mask.ndim == 2:
        indices.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    indices.save(base / "SegmentationClass" / f"{name}.png")


def write_sbd(root: Path, train: Sequence[str], val: Sequence[str]) -> Path:
    """SBD as it is unpacked, with the fields of its files that torchvision reads."""
    for folder in ("img", "cls"):
        (root / folder).mkdir(parents=True)
    write_list(root / "train.txt", train)
    write_list(root / "val.txt", val)
    for seed, name in enumerate([*train, *val], start=100):
        photo, mask = scene(seed)
        Image.fromarray(photo).save(root / "img" / f"{name}.jpg", quality=100, subsampling=0)
        classes = {
            "Boundaries": np.zeros((20, 1), object),
            "Segmentation": np.where(mask == IGNORED, 0, mask).astype(np.uint8),
            "CategoriesPresent": np.array([[CAT], [DOG]], np.uint8),
        }
        savemat(root / "cls" / f"{name}.mat", {"GTcls": classes})
    return root


def write_list(path: Path, names: Iterable[str]) -> None:
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _names(split: str, names: int | Sequence[str]) -> list[str]:
    return [f"{split}_{n:03}" for n in range(names)] if isinstance(names, int) else [*names]
