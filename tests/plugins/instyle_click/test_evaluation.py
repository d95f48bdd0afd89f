"""The protocol of evaluation, with methods whose figures are known; and the figures' own sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from instyle_click.clicks import Clicks
from instyle_click.evaluation import Clicked, evaluate, groups, summary
from instyle_training.voc import CLASSES, IGNORED, Photos, open_voc
from tests.plugins.instyle_training.shapes import CAT, DOG, scene, write_photo, write_voc


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Three photos, of which the last one shows nothing."""
    root = write_voc(tmp_path_factory.mktemp("voc"), train=0, val=3)
    photo, mask = scene(9)
    write_photo(root, "val_002", photo, np.zeros_like(mask))
    return open_voc(root, "val")


def objects(photos: Photos) -> list[tuple[str, int, Any]]:
    """Name, label and region of all objects, as they are tried: each scene has a cat and a dog."""
    found = []
    for name, (_, mask) in zip(photos.names, photos, strict=True):
        parts = [(name, label, (mask == label).numpy()) for label in (CAT, DOG)]
        found += sorted((p for p in parts if p[2].any()), key=lambda part: -part[2].sum())
    return found


class Oracle:
    """Answers with the truth of the object that was clicked first."""

    def __init__(self, photos: Photos) -> None:
        self._masks = [mask for _, mask in photos]
        self._photos = [photo for photo, _ in photos]

    def __call__(self, photo: Tensor, clicks: Clicks) -> Tensor:
        assert (photo.dtype, photo.ndim) == (torch.float32, 3)
        (number,) = (
            n
            for n, other in enumerate(self._photos)
            if other.shape == photo.shape and torch.equal((photo * 255).round(), other.float())
        )
        (x, y), *_ = clicks.on
        mask = self._masks[number]
        return (mask == mask[y, x]).float()


def test_a_method_that_knows_the_truth(photos: Photos) -> None:
    calls: list[None] = []
    results = evaluate(Oracle(photos), photos, lambda: calls.append(None))
    assert len(calls) == 3
    assert [(r.photo, r.class_name) for r in results] == [
        (name, CLASSES[label]) for name, label, _ in objects(photos)
    ]
    for result, (_, _, inside) in zip(results, objects(photos), strict=True):
        assert result.ious == [1.0] * 20
        assert len(result.seconds) == 1  # it is not asked again
        assert result.share == pytest.approx(inside.sum() / inside.size)
        assert not result.touching
    assert [result.largest for result in results] == [True, False] * 2
    told = summary(results, 20)
    assert told["iou"] == {"1": 1, "2": 1, "3": 1, "5": 1}
    assert told["noc"] == {"0.85": 1, "0.90": 1}
    assert told["failed"] == {"0.85": 0, "0.90": 0}


def test_a_method_that_finds_nothing(photos: Photos) -> None:
    seen: list[Clicks] = []

    def nothing(photo: Tensor, clicks: Clicks) -> Tensor:
        seen.append(clicks)
        return torch.zeros(photo.shape[1:])

    results = evaluate(nothing, photos, lambda: None)
    for result in results:
        assert result.ious == [0.0] * 20
        assert len(result.seconds) == 20
    assert summary(results, 20)["noc"] == {"0.85": 20, "0.90": 20}
    assert summary(results, 20)["failed"] == {"0.85": 1, "0.90": 1}
    # The error stays the same, and so does its middle.
    assert seen[19].on == seen[0].on * 20
    assert seen[19].off == ()


def test_what_is_not_connected_to_a_click_does_not_count(photos: Photos) -> None:
    """As a run leaves it out; nor do pixels without a label."""
    oracle = Oracle(photos)

    def both(photo: Tensor, clicks: Clicks) -> Tensor:
        x = clicks.on[0][0]
        inside = oracle(photo, clicks).numpy() > 0
        rim = ndimage.binary_dilation(inside)  # the outline of shapes is unlabeled, 1 pixel wide
        far = np.zeros_like(inside)
        far[:, 0 if x > photo.shape[2] / 2 else -1] = True
        return torch.from_numpy(rim | far).float()

    for result in evaluate(both, photos, lambda: None, most=5):
        assert result.ious == [1.0] * 5


def test_the_decision_is_made_at_a_half(photos: Photos) -> None:
    oracle = Oracle(photos)

    def just(photo: Tensor, clicks: Clicks) -> Tensor:
        return 0.49 + 0.01 * oracle(photo, clicks)

    assert {result.ious[0] for result in evaluate(just, photos, lambda: None)} == {1.0}


def test_a_method_that_paints_discs(photos: Photos) -> None:
    """Against the protocol once more, by scipy."""

    def painted(shape: tuple[int, int], clicks: Clicks) -> Any:
        y, x = np.indices(shape)
        found = np.zeros(shape, bool)
        for cx, cy in clicks.on:
            found |= np.hypot(x - cx, y - cy) < 6.2
        for cx, cy in clicks.off:
            found &= np.hypot(x - cx, y - cy) >= 1.5
        return found

    def method(photo: Tensor, clicks: Clicks) -> Tensor:
        return torch.from_numpy(painted(tuple(photo.shape[1:]), clicks)).float()

    results = evaluate(method, photos, lambda: None, most=8)
    eight = np.ones((3, 3))
    masks = dict(zip(photos.names, (mask.numpy() for _, mask in photos), strict=True))
    ends = set()
    for result, (name, _, truth) in zip(results, objects(photos), strict=True):
        counts = masks[name] != IGNORED
        clicks, found, ious = Clicks(), np.zeros_like(truth), []
        for _ in range(8):
            largest = None
            for on, wrong in ((True, truth & ~found), (False, found & ~truth & counts)):
                parts, number = ndimage.label(wrong, eight)
                for part in range(1, number + 1):
                    error = parts == part
                    if largest is None or error.sum() > largest[0]:
                        largest = error.sum(), on, error
            assert largest is not None
            _, on, error = largest
            depth = ndimage.distance_transform_edt(np.pad(error, 1))[1:-1, 1:-1]
            # Of several middles, the first one, row by row.
            row, column = np.unravel_index(int((depth > depth.max() - 1e-6).argmax()), depth.shape)
            clicks = clicks.and_then((int(column), int(row)), on=on)
            found = painted(truth.shape, clicks)
            parts, _ = ndimage.label(found, eight)
            found = np.isin(parts, [p for x, y in clicks.on if (p := parts[y, x])])
            ious.append((found & truth).sum() / ((found | truth) & counts).sum())
        ends.add(len(clicks.off))
        assert result.ious == pytest.approx(ious)
    assert max(ends) > 0  # wrong pixels were clicked, too


def test_the_largest_objects_alone(photos: Photos) -> None:
    results = evaluate(Oracle(photos), photos, lambda: None, most=3, all_objects=False)
    assert len(results) == 2
    assert all(result.largest and result.ious == [1.0] * 3 for result in results)


# --- figures --------------------------------------------------------------------------------------


def clicked(*ious: float, seconds: float = 1.0, **facts: Any) -> Clicked:
    told = {"photo": "a", "class_name": "cat", "share": 0.1, "touching": False, "largest": True}
    return Clicked(**(told | facts), ious=[*ious], seconds=[seconds] * len(ious))  # type: ignore[arg-type]


@given(st.lists(st.sampled_from([0.1, 0.84, 0.85, 0.9, 1.0]), min_size=1, max_size=20))
def test_clicks_to(ious: list[float]) -> None:
    for wanted in (0.85, 0.9, 1.0):
        number = 1
        while number < len(ious) and ious[number - 1] < wanted:
            number += 1
        assert clicked(*ious).clicks_to(wanted) == number


def test_summary() -> None:
    told = summary(
        [
            clicked(0.5, 0.8, 0.86, 0.88, 0.95, 0.7, seconds=1),
            clicked(0.91, 0.2, 0.2, 0.2, 0.3, 0.3, seconds=2),
            clicked(0.1, 0.1, 0.1, 0.1, 0.1, 0.1, seconds=6),
        ],
        6,
    )
    assert told == {
        "objects": 3,
        "iou": {
            "1": pytest.approx(1.51 / 3),
            "2": pytest.approx(1.1 / 3),
            "3": pytest.approx(1.16 / 3),
            "5": pytest.approx(1.35 / 3),
        },
        "noc": {"0.85": pytest.approx((3 + 1 + 6) / 3), "0.90": pytest.approx((5 + 1 + 6) / 3)},
        "failed": {"0.85": pytest.approx(1 / 3), "0.90": pytest.approx(1 / 3)},
        "seconds": 2,
    }


def test_a_summary_of_few_clicks() -> None:
    assert summary([clicked(0.5, 0.75)], 2)["iou"] == {"1": 0.5, "2": 0.75}


def test_a_summary_of_nothing() -> None:
    assert summary([], 20) == {"objects": 0}


def test_groups() -> None:
    results = [
        clicked(0.9, largest=True, touching=True),
        clicked(0.5, largest=False, share=0.0199),
        clicked(0.1, largest=False, class_name="dog", share=0.02),
    ]
    told = groups(results, 1)
    assert {name: figures["objects"] for name, figures in told.items() if name != "classes"} == {
        "all": 3,
        "largest": 1,
        "small": 1,
        "touching": 1,
    }
    assert told["all"]["iou"]["1"] == pytest.approx(0.5)
    assert told["largest"]["iou"]["1"] == told["touching"]["iou"]["1"] == 0.9
    assert told["small"]["iou"]["1"] == 0.5
    assert list(told["classes"]) == ["cat", "dog"]
    assert told["classes"]["cat"] == summary(results[:2], 1)
    assert told["classes"]["dog"]["iou"]["1"] == 0.1
