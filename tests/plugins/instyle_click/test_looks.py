"""Two looks, as a network that takes notes sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from instyle_click.clicks import Clicks
from instyle_click.looks import holding, look_twice

Found = Callable[[int, Tensor, Tensor], Tensor]


@dataclass
class Notes:
    """A network that answers as it is told, and what it was shown."""

    answer: Found
    images: list[Tensor] = field(default_factory=list)
    maps: list[Tensor] = field(default_factory=list)

    def __call__(self, images: Tensor, maps: Tensor) -> Tensor:
        assert images.shape[0] == maps.shape[0] == 1
        assert images.shape[2:] == maps.shape[2:]
        self.images.append(images[0])
        self.maps.append(maps[0])
        return 20 * (2 * self.answer(len(self.images), images[0], maps[0]) - 1)[None, None]


def places(height: int, width: int) -> Tensor:
    """A picture that tells where each pixel is: x in red, y in green, as fractions of 4096."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x / 4096, y / 4096, torch.zeros_like(x)]).float()


def window(image: Tensor) -> tuple[float, float, float, float]:
    """Where a look at `places` was: the middles of its first and last pixel."""
    first, last = 4096 * image[:2, 0, 0], 4096 * image[:2, -1, -1]
    return (*first.tolist(), *last.tolist())  # type: ignore[return-value]


def nothing(_: int, images: Tensor, __: Tensor) -> Tensor:
    return torch.zeros(images.shape[1:])


def everything(_: int, images: Tensor, __: Tensor) -> Tensor:
    return torch.ones(images.shape[1:])


def within(x0: float, y0: float, x1: float, y1: float) -> Found:
    """Finds the pixels of `places` from x0 up to x1, and likewise for y."""

    def find(_: int, images: Tensor, __: Tensor) -> Tensor:
        x, y = 4096 * images[0], 4096 * images[1]
        return ((x >= x0 - 0.5) & (x < x1 - 0.5) & (y >= y0 - 0.5) & (y < y1 - 0.5)).float()

    return find


def looked(
    answer: Found, image: Tensor, clicks: Clicks, size: int = 64
) -> tuple[NDArray[np.float32], Notes]:
    network = Notes(answer)
    found = look_twice(network, image, clicks, size)  # type: ignore[arg-type]
    assert found.dtype == torch.float32
    assert found.shape == image.shape[1:]
    assert not found.requires_grad
    assert len(network.images) == 2
    return found.numpy(), network


# --- the first look -------------------------------------------------------------------------------


def test_first_all_of_the_photo() -> None:
    _, seen = looked(nothing, places(60, 128), Clicks(((20, 30), (60, 10)), ((100, 50),)))
    image, maps = seen.images[0], seen.maps[0]
    assert image.shape == (3, 30, 64)  # the longest side has `size` pixels
    assert window(image[:, 1:-1, 1:-1]) == pytest.approx((2.5, 2.5, 124.5, 56.5), abs=0.01)
    y, x = np.indices((30, 64))
    assert np.array_equal(maps[0], np.hypot(x - 10, y - 15) <= 5)
    assert not maps[1:].any()  # other points are told at the second look


def test_first_the_box_and_a_quarter_of_it_around() -> None:
    _, seen = looked(nothing, places(300, 400), Clicks(box=(100, 50, 180, 90)))
    image, maps = seen.images[0], seen.maps[0]
    assert image.shape == (3, 43, 64)  # 80 x 120 pixels: 20 on each side of 40 x 80
    assert window(image[:, 2:-2, 2:-2])[:2] == pytest.approx((83.8, 33.8), abs=0.8)
    inside = torch.zeros(43, 64)
    inside[10:33, 10:54] = 1  # 20 / 120 * 64 = 10.7 to 53.3; 20 / 80 * 43 = 10.75 to 32.25
    assert torch.equal(maps[2], inside)
    assert not maps[[0, 1, 3]].any()


def test_a_box_at_the_border() -> None:
    _, seen = looked(nothing, places(300, 400), Clicks(box=(0, 280, 40, 300)))
    assert seen.images[0].shape == (3, 38, 64)  # 50 x 30 pixels: 10 to the right and above
    assert seen.maps[0][2, -1, 0] == 1


def test_a_small_box_has_8_pixels_around_and_is_enlarged_3_times() -> None:
    _, seen = looked(nothing, places(300, 400), Clicks(box=(100, 50, 102, 53)), size=384)
    assert seen.images[0].shape == (3, 3 * 19, 3 * 18)
    inside = torch.zeros(57, 54)
    inside[24:33, 24:30] = 1
    assert torch.equal(seen.maps[0][2], inside)


# --- the second look ------------------------------------------------------------------------------


def test_then_around_what_was_found() -> None:
    """With the mask so far; a second region without a point is not looked at."""
    both = within(40, 30, 80, 60), within(200, 100, 300, 200)

    def find(*given: Any) -> Tensor:
        return torch.maximum(*(part(*given) for part in both))

    found, seen = looked(find, places(300, 400), Clicks(((50, 40),)), size=400)
    image, maps = seen.images[1], seen.maps[1]
    assert seen.images[0].shape == (3, 300, 400)
    assert image.shape == (3, 150, 180)  # 3 times 50 x 60: 10 on each side of 30 x 40
    assert window(image[:, 1:-1:3, 1:-1:3]) == pytest.approx((30, 20, 89, 69), abs=0.01)
    y, x = np.indices((150, 180))
    assert np.array_equal(maps[0], np.hypot(x - 61, y - 61) <= 5)
    so_far = np.zeros((50, 60))
    so_far[10:40, 10:50] = 1
    assert np.array_equal(maps[3][1::3, 1::3].round(), so_far)
    truth = np.zeros((300, 400), bool)
    truth[30:60, 40:80] = truth[100:200, 200:300] = True  # the first answer stays elsewhere
    assert np.array_equal(found >= 0.5, truth)


def test_all_points_on_the_object_are_looked_at() -> None:
    clicks = Clicks(((50, 40), (150, 44)), ((390, 290),))
    _, seen = looked(within(40, 30, 80, 60), places(300, 400), clicks, size=400)
    # From 40 to 151 and 30 to 60, and 28 around.
    assert window(seen.images[1])[:2] == pytest.approx((12, 2), abs=1)
    assert window(seen.images[1])[2:] == pytest.approx((178, 87), abs=1)
    assert not seen.maps[1][1].any()  # too far away
    assert seen.maps[1][0].any()


def test_the_answer_of_the_second_look_counts() -> None:
    def first_only(number: int, images: Tensor, maps: Tensor) -> Tensor:
        return within(40, 30, 80, 60)(number, images, maps) if number == 1 else 0 * images[0]

    found, _ = looked(first_only, places(300, 400), Clicks(((50, 40),)), size=400)
    assert not (found >= 0.5).any()


def test_nothing_found() -> None:
    """Around the point, 0.3 of the photo's longer side."""
    found, seen = looked(nothing, places(300, 400), Clicks(((200, 150),)), size=400)
    assert seen.images[1].shape == (3, 363, 363)  # 3 times 121
    assert window(seen.images[1][:, 1:-1:3, 1:-1:3]) == pytest.approx((140, 90, 260, 210), abs=0.01)
    assert not (found >= 0.5).any()


def test_something_else_found_than_the_point_is_on() -> None:
    _, seen = looked(within(0, 0, 50, 50), places(300, 400), Clicks(((200, 150),)), size=400)
    assert seen.images[1].shape == (3, 363, 363)


def test_nothing_found_at_a_corner() -> None:
    _, seen = looked(nothing, places(300, 400), Clicks(((399, 0),)), size=400)
    assert window(seen.images[1][:, 1:-1:3, 1:-1:3]) == pytest.approx((339, 0, 399, 60), abs=0.01)


def test_nothing_found_in_a_box() -> None:
    clicks = Clicks(((120, 70),), box=(100, 50, 180, 90))
    _, seen = looked(nothing, places(300, 400), clicks)
    torch.testing.assert_close(seen.images[1], seen.images[0])
    torch.testing.assert_close(seen.maps[1][:3], seen.maps[0][:3])


def test_a_box_alone_takes_all_that_is_found() -> None:
    def two(*given: Any) -> Tensor:
        return torch.maximum(within(104, 54, 110, 60)(*given), within(170, 80, 176, 86)(*given))

    found, seen = looked(two, places(300, 400), Clicks(box=(100, 50, 180, 90)), size=240)
    # From 104 to 176 and 54 to 86, and 18 around, enlarged by 240 / 108.
    assert seen.images[1].shape == (3, 151, 240)
    assert found[57, 107] > 0.5
    assert found[83, 173] > 0.5


# --- photos of any size ---------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [nothing, everything])
@pytest.mark.parametrize("box", [False, True])
def test_one_pixel(answer: Found, box: bool) -> None:
    clicks = Clicks(box=(0, 0, 1, 1)) if box else Clicks(((0, 0),))
    found, seen = looked(answer, places(1, 1), clicks)
    assert [image.shape for image in seen.images] == [(3, 3, 3)] * 2
    assert found.round().tolist() == [[float(answer is everything)]]
    assert all(maps[2 if box else 0].all() for maps in seen.maps)


@pytest.mark.parametrize("turned", [False, True])
def test_a_strip(turned: bool) -> None:
    size, point = (2000, 30), (1990, 15)
    if turned:
        size, point = size[::-1], point[::-1]
    found, seen = looked(everything, places(size[1], size[0]), Clicks((point,)), size=384)
    assert sorted(seen.images[0].shape[1:]) == [6, 384]
    assert (found > 0.5).all()
    found, seen = looked(nothing, places(size[1], size[0]), Clicks((point,)), size=384)
    assert sorted(seen.images[1].shape[1:]) == [round(30 * 384 / 310), 384]  # from 1690 to 2000


@pytest.mark.parametrize("point", [(0, 0), (36, 0), (0, 22), (36, 22)], ids=str)
def test_points_at_the_border(point: tuple[int, int]) -> None:
    """They are within the maps, and the object around them is found."""
    x, y = point
    _, seen = looked(within(x - 5, y - 5, x + 6, y + 6), places(23, 37), Clicks((point,)))
    row, column = -1 if y else 0, -1 if x else 0
    for image, maps in zip(seen.images, seen.maps, strict=True):
        assert maps[0, row, column] == 1
        assert (4096 * image[:2, row, column]).tolist() == pytest.approx(point, abs=0.6)


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from([64, 100]),
    st.sampled_from([nothing, everything, within(10, 10, 30, 25)]),
    st.data(),
)
def test_any_photo(size: tuple[int, int], longest: int, answer: Found, data: Any) -> None:
    """Looks have the size that they should, and maps begin with what was found before."""
    height, width = size
    xs, ys = st.integers(0, width - 1), st.integers(0, height - 1)
    on = tuple(data.draw(st.lists(st.tuples(xs, ys), min_size=1, max_size=3)))
    off = tuple(data.draw(st.lists(st.tuples(xs, ys), max_size=2)))
    x0, y0 = data.draw(xs), data.draw(ys)
    box = (x0, y0, data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height)))
    clicks = Clicks(on, off, data.draw(st.sampled_from([None, box])))
    found, seen = looked(answer, places(height, width), clicks, longest)
    assert np.isfinite(found).all()
    assert max(max(image.shape) for image in seen.images) <= longest
    assert not seen.maps[0][3].any()
    assert seen.maps[1][0].any()


# --- regions that are held ------------------------------------------------------------------------


@given(hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))), st.data())
def test_holding(decision: NDArray[Any], data: Any) -> None:
    height, width = decision.shape
    xs, ys = st.integers(0, width - 1), st.integers(0, height - 1)
    on = tuple(data.draw(st.lists(st.tuples(xs, ys), max_size=3)))
    parts, _ = ndimage.label(decision, np.ones((3, 3)))
    held = {int(parts[y, x]) for x, y in on if decision[y, x]}
    expected = np.isin(parts, [*held]) if on else decision
    assert np.array_equal(holding(decision, Clicks(on, ((0, 0),))), expected)
