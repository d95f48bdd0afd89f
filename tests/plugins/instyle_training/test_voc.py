"""Reading VOC and SBD: what is there, and every way in which it may not be."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision.datasets import VOCSegmentation

from instyle_core import InputError
from instyle_training.voc import CLASSES, IGNORED, open_sbd, open_voc, renumbering, summarize
from tests.plugins.instyle_training.shapes import (
    CAT,
    DOG,
    scene,
    write_list,
    write_photo,
    write_sbd,
    write_voc,
)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    return write_voc(tmp_path / "data", train=3, val=2)


def inside(voc: Path, *parts: str) -> Path:
    return voc.joinpath("VOCdevkit", "VOC2012", *parts)


def refused(action: Callable[[], object], where: Path) -> InputError:
    """The error of what must fail: it names the file or folder, and says what to do."""
    with pytest.raises(InputError) as caught:
        action()
    assert caught.value.where == str(where)
    assert caught.value.hint
    assert caught.value.exit_status == 2
    return caught.value


# --- what is there --------------------------------------------------------------------------------


def test_classes_are_those_of_voc() -> None:
    assert len(CLASSES) == 21
    assert CLASSES[0] == "background"
    assert list(CLASSES[1:]) == sorted(CLASSES[1:])  # VOC numbers them in alphabetical order
    assert (CLASSES[CAT], CLASSES[DOG], CLASSES[15], CLASSES[20]) == (
        "cat",
        "dog",
        "person",
        "tvmonitor",
    )


def test_splits(voc: Path) -> None:
    train, val, both = (open_voc(voc, split) for split in ("train", "val", "trainval"))
    assert train.names == ["train_000", "train_001", "train_002"]
    assert val.names == ["val_000", "val_001"]
    assert both.names == train.names + val.names
    assert [len(train), len(val), len(both)] == [3, 2, 5]


def test_only_some(voc: Path) -> None:
    """In the order of the list; names that it does not have are left out, also a second time."""
    photos = open_voc(voc, "trainval")
    some = photos.only(["val_001", "train_002", "nobody", "train_000"])
    assert some.names == ["train_000", "train_002", "val_001"]
    assert len(some) == 3
    for (pixels, labels), index in zip(some, (0, 2, 4), strict=True):
        assert torch.equal(pixels, photos[index][0])
        assert torch.equal(labels, photos[index][1])
    assert some.only(["val_001", "val_000"]).names == ["val_001"]
    assert len(photos.only([])) == 0
    assert len(photos) == 5


def test_items(voc: Path) -> None:
    photos = open_voc(voc, "train")
    source = VOCSegmentation(str(voc), "2012", "train")
    for seed in range(3):
        pixels, labels = photos[seed]
        drawn, mask = scene(seed)
        assert (pixels.dtype, pixels.shape) == (torch.uint8, (3, 48, 64))
        assert (labels.dtype, labels.shape) == (torch.uint8, (48, 64))
        assert np.array_equal(pixels.permute(1, 2, 0), np.asarray(source[seed][0]))
        assert abs(pixels.permute(1, 2, 0).numpy().astype(int) - drawn).mean() < 1  # JPEG
        assert np.array_equal(labels, mask)
        assert set(np.unique(labels)) == {0, CAT, DOG, IGNORED}


def test_a_gray_photo(voc: Path) -> None:
    gray = Image.fromarray(scene(0)[0]).convert("L")
    gray.save(inside(voc, "JPEGImages", "train_000.jpg"))
    pixels, _ = open_voc(voc, "train")[0]
    assert pixels.shape == (3, 48, 64)
    assert torch.equal(pixels[0], pixels[2])


def test_a_mask_without_a_palette(voc: Path) -> None:
    mask = scene(0)[1]
    Image.fromarray(mask).save(inside(voc, "SegmentationClass", "train_000.png"))
    assert np.array_equal(open_voc(voc, "train")[0][1], mask)


def test_renumbering() -> None:
    table = renumbering(("background", "dog", "cat"))
    assert (table.dtype, table.shape) == (torch.uint8, (256,))
    expected = {DOG: 1, CAT: 2, IGNORED: IGNORED}
    assert table.tolist() == [expected.get(label, 0) for label in range(256)]
    assert renumbering(CLASSES)[:21].tolist() == list(range(21))


def test_a_class_that_voc_does_not_have() -> None:
    with pytest.raises(InputError, match="'giraffe' is no class of VOC"):
        renumbering(("background", "giraffe"))


# --- folders and lists that are not as they should be ---------------------------------------------


def test_a_folder_that_is_not_voc(tmp_path: Path) -> None:
    error = refused(lambda: open_voc(tmp_path, "train"), tmp_path)
    assert "VOCdevkit/VOC2012" in error.what
    assert "unpack PASCAL VOC 2012 there" in str(error.hint)


def test_no_folder_at_all(tmp_path: Path) -> None:
    refused(lambda: open_voc(tmp_path / "nowhere", "train"), tmp_path / "nowhere")


@pytest.mark.parametrize(
    "given", ["VOCdevkit", "VOCdevkit/VOC2012", "VOCdevkit/VOC2012/JPEGImages"]
)
def test_a_folder_within_voc(voc: Path, given: str) -> None:
    error = refused(lambda: open_voc(voc / given, "train"), voc / given)
    assert error.hint == f"did you mean {voc}?"


def test_here_is_within_voc(voc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(voc / "VOCdevkit")
    error = refused(lambda: open_voc(Path(), "train"), Path())
    assert error.hint == f"did you mean {voc}?"


def test_the_list_is_missing(voc: Path) -> None:
    path = inside(voc, "ImageSets", "Segmentation", "val.txt")
    path.unlink()
    assert "list of photos cannot be read" in refused(lambda: open_voc(voc, "val"), path).what
    assert len(open_voc(voc, "train")) == 3


def test_the_list_is_empty(voc: Path) -> None:
    path = inside(voc, "ImageSets", "Segmentation", "val.txt")
    path.write_text("")
    assert "list of photos is empty" in refused(lambda: open_voc(voc, "val"), path).what


@pytest.mark.parametrize("file", ["JPEGImages/train_001.jpg", "SegmentationClass/train_001.png"])
def test_a_file_is_missing(voc: Path, file: str) -> None:
    inside(voc, file).unlink()
    error = refused(lambda: open_voc(voc, "train"), inside(voc, file))
    assert "'train_001'" in error.what
    assert "missing" in error.what


def test_masks_are_not_unpacked(voc: Path) -> None:
    shutil.rmtree(inside(voc, "SegmentationClass"))
    first = inside(voc, "SegmentationClass", "train_000.png")
    refused(lambda: open_voc(voc, "train"), first)


# --- files that are not as they should be ---------------------------------------------------------


@pytest.mark.parametrize("damage", [b"", b"no picture", "half"], ids=str)
@pytest.mark.parametrize("file", ["JPEGImages/train_001.jpg", "SegmentationClass/train_001.png"])
def test_damaged(voc: Path, file: str, damage: bytes | str) -> None:
    path = inside(voc, file)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if isinstance(damage, str) else damage)
    photos = open_voc(voc, "train")
    assert "damaged" in refused(lambda: photos[1], path).what
    photos[0], photos[2]


def test_a_mask_of_another_size(voc: Path) -> None:
    photo, mask = scene(0)
    write_photo(voc, "train_000", photo, mask[:40])
    path = inside(voc, "SegmentationClass", "train_000.png")
    error = refused(lambda: open_voc(voc, "train")[0], path)
    assert error.what == "the mask is 64x40 pixels, and its photo 64x48"


@pytest.mark.parametrize("channels", [3, 4])
def test_a_mask_in_colors(voc: Path, channels: int) -> None:
    path = inside(voc, "SegmentationClass", "train_000.png")
    Image.fromarray(np.zeros((48, 64, channels), np.uint8)).save(path)
    error = refused(lambda: open_voc(voc, "train")[0], path)
    assert error.what == f"the mask has {channels} channels"
    assert "one class number a pixel" in str(error.hint)


@pytest.mark.parametrize("label", [21, 100, 254, 300])
def test_labels_out_of_range(voc: Path, label: int) -> None:
    mask = scene(0)[1].astype(np.uint16 if label > 255 else np.uint8)
    mask[3, 4] = label
    path = inside(voc, "SegmentationClass", "train_000.png")
    Image.fromarray(mask).save(path)
    error = refused(lambda: open_voc(voc, "train")[0], path)
    assert f"[{label}]" in error.what
    assert "0 to 20" in str(error.hint)


# --- SBD ------------------------------------------------------------------------------------------


@pytest.fixture
def sbd(tmp_path: Path) -> Path:
    return write_sbd(tmp_path / "sbd", train=["a", "b", "train_001"], val=["c", "val_000"])


def test_sbd_is_train_and_val_without_what_voc_has(sbd: Path, voc: Path) -> None:
    names = [*open_voc(voc, "train").names, *open_voc(voc, "val").names]
    photos = open_sbd(sbd, without=names)
    assert photos.names == ["a", "b", "c"]
    assert len(photos) == 3
    for item, seed in enumerate((100, 101, 103)):
        pixels, labels = photos[item]
        drawn, mask = scene(seed)
        assert (pixels.dtype, pixels.shape) == (torch.uint8, (3, 48, 64))
        assert (labels.dtype, labels.shape) == (torch.uint8, (48, 64))
        assert abs(pixels.permute(1, 2, 0).numpy().astype(int) - drawn).mean() < 1
        assert np.array_equal(labels, np.where(mask == IGNORED, 0, mask))


def test_sbd_with_all_of_its_photos(sbd: Path) -> None:
    assert open_sbd(sbd, without=()).names == ["a", "b", "train_001", "c", "val_000"]


@pytest.mark.parametrize("lost", ["", "train.txt", "val.txt"])
def test_a_folder_that_is_not_sbd(sbd: Path, lost: str) -> None:
    if lost:
        (sbd / lost).unlink()
    else:
        shutil.rmtree(sbd)
    error = refused(lambda: open_sbd(sbd, without=()), sbd)
    assert error.what == "this is not the folder of SBD"
    assert "img/, cls/, train.txt and val.txt" in str(error.hint)


@pytest.mark.parametrize("file", ["img/c.jpg", "cls/c.mat"])
def test_a_file_of_sbd_is_missing(sbd: Path, file: str) -> None:
    (sbd / file).unlink()
    refused(lambda: open_sbd(sbd, without=()), sbd / file)
    assert open_sbd(sbd, without=["c"]).names == ["a", "b", "train_001", "val_000"]


@pytest.mark.parametrize("file", ["img/b.jpg", "cls/b.mat"])
def test_a_damaged_file_of_sbd(sbd: Path, file: str) -> None:
    path = sbd / file
    path.write_bytes(path.read_bytes()[:300])
    photos = open_sbd(sbd, without=())
    assert "damaged" in refused(lambda: photos[1], path).what


def test_a_file_of_sbd_with_other_fields(sbd: Path) -> None:
    savemat(sbd / "cls" / "b.mat", {"mask": np.zeros((48, 64), np.uint8)})
    photos = open_sbd(sbd, without=())
    refused(lambda: photos[1], sbd / "cls" / "b.mat")


# --- the summary ----------------------------------------------------------------------------------


def test_summary(voc: Path) -> None:
    photo, mask = scene(0, 50, 70)
    write_photo(voc, "train_001", photo, np.where(mask == CAT, 0, mask))  # a dog alone
    write_photo(voc, "train_002", photo, np.zeros_like(mask))
    calls: list[None] = []
    parts = [open_voc(voc, "train"), open_voc(voc, "val")]
    summary = summarize(parts, lambda: calls.append(None))
    assert summary.sizes == ((48, 64), (50, 70), (50, 70), (48, 64), (48, 64))
    assert summary.photos == {"background": 5, "cat": 3, "dog": 4}
    listed = "train_000\ntrain_001\ntrain_002\nval_000\nval_001\n"
    assert summary.sha256 == hashlib.sha256(listed.encode()).hexdigest()
    assert len(calls) == 5


def test_summary_finds_what_is_damaged(voc: Path) -> None:
    path = inside(voc, "JPEGImages", "train_002.jpg")
    path.write_bytes(path.read_bytes()[:500])
    refused(lambda: summarize([open_voc(voc, "train")], lambda: None), path)


def test_the_hash_is_of_the_order_too(voc: Path) -> None:
    before = summarize([open_voc(voc, "train")], lambda: None).sha256
    path = inside(voc, "ImageSets", "Segmentation", "train.txt")
    write_list(path, reversed(path.read_text().split()))
    assert summarize([open_voc(voc, "train")], lambda: None).sha256 != before
