"""Photos with class masks: PASCAL VOC 2012, and the Semantic Boundaries Dataset (SBD)."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.datasets import SBDataset, VOCSegmentation

from instyle_core import InputError

#: The classes of VOC, by their number in a mask.
CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)

#: The label of pixels that do not count: a band along boundaries, and what is hard to classify.
IGNORED = 255

Split = Literal["train", "val", "trainval"]

_LAYOUT = "VOCdevkit/VOC2012"


class Photos(Dataset[tuple[Tensor, Tensor]]):
    """Photos with their masks.

    An item is a photo, uint8 (3, H, W), with its mask, uint8 (H, W): class numbers of `CLASSES`, or
    `IGNORED`.

    Attributes:
        names: of the photos, without suffix.
    """

    def __init__(self, source: Any, keep: Callable[[str], bool] = lambda name: True) -> None:
        self._source = source
        named = [(Path(path).stem, index) for index, path in enumerate(source.images)]
        self._indices = [index for name, index in named if keep(name)]
        self.names = [name for name, index in named if keep(name)]
        for index in self._indices:
            for path in (source.images[index], source.masks[index]):
                if not Path(path).is_file():
                    raise InputError(
                        f"the list of photos names '{Path(path).stem}', but this file is missing",
                        where=str(path),
                        hint="unpack the data again",
                    )

    def only(self, names: Sequence[str]) -> Photos:
        """Those of the photos that are named."""
        wanted = frozenset(names)
        return Photos(self._source, wanted.intersection(self.names).__contains__)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        """Read a photo and its mask.

        Raises:
            InputError: one of the files is damaged, they differ in size, or the mask has labels
                that are no classes.
        """
        index = self._indices[item]
        try:
            photo, mask = (np.array(picture) for picture in self._source[index])
        except Exception as error:  # whatever Pillow and SciPy raise for a damaged file
            raise InputError(
                f"this file is damaged: {error}",
                where=self._damaged(index),
                hint="unpack the data again",
            ) from error
        where = str(self._source.masks[index])
        if mask.shape != photo.shape[:2]:
            raise InputError(
                f"the mask has {mask.shape[2]} channels"
                if mask.ndim == 3
                else "the mask is {1}x{0} pixels, and its photo {3}x{2}".format(
                    *mask.shape, *photo.shape[:2]
                ),
                where=where,
                hint="masks are pictures with one class number a pixel, as large as their photos",
            )
        strange = sorted(set(np.unique(mask).tolist()) - {*range(len(CLASSES)), IGNORED})
        if strange:
            raise InputError(
                f"the mask has labels that are no classes of VOC: {strange[:5]}",
                where=where,
                hint=f"labels go from 0 to {len(CLASSES) - 1}; {IGNORED} is ignored",
            )
        pixels = torch.from_numpy(photo).permute(2, 0, 1)
        return pixels, torch.from_numpy(mask.astype(np.uint8))

    def _damaged(self, index: int) -> str:
        photo, mask = (str(files[index]) for files in (self._source.images, self._source.masks))
        try:
            with Image.open(photo) as picture:
                picture.load()
        except Exception:
            return photo
        return mask


def open_voc(root: Path, split: Split) -> Photos:
    """The photos of a split of VOC 2012.

    Args:
        root: the folder that holds ``VOCdevkit/VOC2012``.
        split: which list of ``ImageSets/Segmentation``.

    Raises:
        InputError: the folder does not have the layout of VOC, files are missing, or the list is
            empty.
    """
    try:
        photos = Photos(VOCSegmentation(str(root), year="2012", image_set=split))
    except RuntimeError as error:
        inside = next((up for up in root.absolute().parents if (up / _LAYOUT).is_dir()), None)
        raise InputError(
            f"there is no folder {_LAYOUT} in it",
            where=str(root),
            hint=f"did you mean {inside}?" if inside else "unpack PASCAL VOC 2012 there",
        ) from error
    except OSError as error:
        raise InputError(
            f"the list of photos cannot be read: {error.strerror}",
            where=str(error.filename),
            hint="unpack PASCAL VOC 2012 again",
        ) from error
    if not photos:
        raise InputError(
            "the list of photos is empty",
            where=str(root / _LAYOUT / "ImageSets" / "Segmentation" / f"{split}.txt"),
            hint="unpack PASCAL VOC 2012 again",
        )
    return photos


def open_sbd(root: Path, without: Sequence[str]) -> Photos:
    """The photos of SBD, train and val together.

    Args:
        root: the folder that holds ``img``, ``cls``, ``train.txt`` and ``val.txt``.
        without: names of photos to leave out: those that VOC has too, above all for validation.

    Raises:
        InputError: the folder does not have the layout of SBD, or files are missing.
    """
    try:
        parts = [SBDataset(str(root), part, mode="segmentation") for part in ("train", "val")]
    except (RuntimeError, OSError) as error:
        raise InputError(
            "this is not the folder of SBD",
            where=str(root),
            hint="it holds img/, cls/, train.txt and val.txt",
        ) from error
    first, second = parts
    first.images += second.images
    first.masks += second.masks
    left_out = frozenset(without)
    return Photos(first, lambda name: name not in left_out)


@dataclass(frozen=True)
class Summary:
    """What a list of photos holds.

    Attributes:
        sizes: (height, width) of each.
        photos: the number of photos with each class, by name.
        sha256: of the names, one per line.
    """

    sizes: tuple[tuple[int, int], ...]
    photos: dict[str, int]
    sha256: str


def summarize(photos: Sequence[Photos], on_photo: Callable[[], None]) -> Summary:
    """Read every photo and mask once, so that damaged files are found before a training.

    Args:
        photos: of one or several sources.
        on_photo: called after each photo.

    Raises:
        InputError: as `Photos` does.
    """

    def look(place: tuple[Photos, int]) -> tuple[tuple[int, int], list[int]]:
        mask = place[0][place[1]][1]
        return (mask.shape[0], mask.shape[1]), np.unique(mask.numpy()).tolist()

    sizes, counts = [], Counter[int]()
    places = [(part, index) for part in photos for index in range(len(part))]
    with ThreadPoolExecutor() as pool:
        for size, labels in pool.map(look, places):
            sizes.append(size)
            counts.update(labels)
            on_photo()
    names = "".join(f"{name}\n" for part in photos for name in part.names)
    return Summary(
        tuple(sizes),
        {name: counts[number] for number, name in enumerate(CLASSES) if counts[number]},
        hashlib.sha256(names.encode()).hexdigest(),
    )


def renumbering(classes: Sequence[str]) -> Tensor:
    """The position in `classes` for each label of VOC, uint8 (256,).

    Classes that a network does not know count as background; ignored pixels stay ignored.

    Raises:
        InputError: VOC does not have one of the classes.
    """
    table = torch.zeros(256, dtype=torch.uint8)
    for position, name in enumerate(classes):
        if name not in CLASSES:
            raise InputError(
                f"'{name}' is no class of VOC, whose masks cannot tell about it",
                hint="evaluate weights of classes of VOC",
            )
        table[CLASSES.index(name)] = position
    table[IGNORED] = IGNORED
    return table
