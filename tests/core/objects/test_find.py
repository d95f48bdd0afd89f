"""The objects of a plan: what is found, and which pixels each of them gets, against sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from torch import Tensor

from instyle_core import Mask, Merger, Params, Prompt, Rating, Segmentation, Segmenter
from instyle_core.config.plan import ObjectPlan
from instyle_core.config.select import Select
from instyle_core.config.spec import Style
from instyle_core.errors import InputError
from instyle_core.events import Event, Note, StageFinished, StageStarted, Teller
from instyle_core.images.picture import Picture, read_picture
from instyle_core.objects.find import FoundObject, find_object, find_objects, segment
from instyle_core.plugin.use import Use
from tests.core.helpers.plans import object_plan, use
from tests.core.helpers.studio import BOX, HEIGHT, WIDTH, Studio, noise, rectangle, save

SIZE = (9, 11)
Pixels = set[tuple[int, int]]


class BlobParams(Params):
    seed: int
    share: float = 0.5


def blob(params: BlobParams) -> NDArray[np.float32]:
    """Random probabilities (H, W); about a share of them is above one half."""
    random = np.random.default_rng(params.seed).random(SIZE, np.float32)
    return 0.9 * random ** (np.log(0.5 / 0.9) / np.log(1 - params.share))


class Blob(Segmenter):
    """Finds the pixels of `blob`; remembers the prompts."""

    prompts: ClassVar[list[Prompt]] = []

    def __init__(self, params: BlobParams) -> None:
        self._probability = torch.from_numpy(blob(params).astype(np.float32))

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        self.prompts.append(prompt)
        return Segmentation(
            ("background", "thing"), torch.stack([1 - self._probability, self._probability])
        )


class WideParams(Params):
    pixels: int


class Wide(Merger):
    """Repaints so many pixels around the object, too."""

    def __init__(self, params: WideParams) -> None:
        self._pixels = params.pixels

    def paints(self, mask: Mask) -> Tensor:
        return torch.from_numpy(dilated(mask.decision[0].numpy() > 0, self._pixels)).float()[None]

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        raise NotImplementedError


def dilated(decision: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Scipy would iterate until nothing changes if there were no pixels."""
    return binary_dilation(decision, iterations=pixels) if pixels else decision


def item(seed: int, share: float = 0.5, pixels: int = 0, **select: Any) -> ObjectPlan:
    return object_plan(
        segmenter=use("segmenter", BlobParams(seed=seed, share=share), f"{__name__}:Blob"),
        select=Select.model_validate({"instance": "all", **select}),
        merger=use("merger", WideParams(pixels=pixels), f"{__name__}:Wide"),
    )


def photo(size: tuple[int, int] = SIZE) -> Picture:
    samples = noise(*size)
    pixels = torch.from_numpy(samples).permute(2, 0, 1).float() / 255
    return Picture(pixels, None, Path("photo.png"), samples)


def pixels_of(mask: Tensor) -> Pixels:
    """The pixels (x, y) of a mask (1, H, W) of zeros and ones."""
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    return {(int(x), int(y)) for y, x in mask[0].nonzero()}


@pytest.fixture(autouse=True)
def _forget() -> None:
    Blob.prompts.clear()


# --- whose pixel is whose -------------------------------------------------------------------------


@given(
    seeds=st.lists(st.integers(0, 999), min_size=1, max_size=4, unique=True),
    share=st.sampled_from([0.05, 0.3, 0.7]),
    reach=st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_every_pixel_is_the_first_object_s_that_claims_it(
    seeds: list[int], share: float, reach: list[int]
) -> None:
    plans = {n: item(seed, share, reach[n]) for n, seed in enumerate(seeds)}
    probabilities = [blob(BlobParams(seed=seed, share=share)) for seed in seeds]
    claims: list[Pixels] = []
    for probability in probabilities:
        whole = {(int(x), int(y)) for y, x in np.argwhere(probability > 0.5)}
        claims.append(whole.difference(*claims))
    events: list[Event] = []
    if not all(claims):
        with pytest.raises(InputError) as caught:
            find_objects(photo(), plans, 0, Teller(events.append))
        assert caught.value.where == f"objects.{[bool(own) for own in claims].index(False)}"
        return
    found = find_objects(photo(), plans, 0, Teller(events.append))

    painted: list[Pixels] = []
    notes: list[str] = []
    for number, (own, claim) in enumerate(zip(found, claims, strict=True)):
        assert (own.number, own.plan) == (number, plans[number])
        assert pixels_of(own.mask.decision) == claim
        # No earlier object's pixel is left in the probability either.
        free = np.ones(SIZE, bool)
        for x, y in set().union(*claims[:number]):
            free[y, x] = False
        np.testing.assert_allclose(
            own.mask.probability[0], probabilities[number] * free, rtol=1e-6, atol=1e-30
        )
        # Pixels around the object, but for those of others, and those that these have painted.
        wide = np.zeros(SIZE, bool)
        wide[tuple(np.array([(y, x) for x, y in claim]).T)] = True
        around = {(int(x), int(y)) for y, x in np.argwhere(dilated(wide, reach[number]))}
        others = set().union(*claims[:number], *claims[number + 1 :], *painted)
        painted.append(around - others)
        assert pixels_of(own.paints) == painted[-1]
        x0, y0, x1, y1 = own.box
        assert painted[-1] <= {(x, y) for x in range(x0, x1) for y in range(y0, y1)}
        assert own.size == (y1 - y0, x1 - x0)
        covered = 1 - len(claim) / int((probabilities[number] > 0.5).sum())
        if covered:
            notes.append(f"objects.{number}: earlier objects cover {covered:.1%} of it")
    assert [event.message for event in events if isinstance(event, Note)] == notes
    stages = [event for event in events if isinstance(event, StageStarted | StageFinished)]
    assert [(type(event), event.item) for event in stages] == [
        (kind, number) for number in plans for kind in (StageStarted, StageFinished)
    ]
    assert {event.stage for event in stages} == {"segment"}


def test_the_box_has_a_margin_around_the_object(studio: Studio) -> None:
    """Of the object's long side: 30 pixels of 100."""
    save(studio.folder / "photo.png", noise(200, 300))
    save(studio.folder / "mask.png", rectangle((100, 90, 200, 110), 200, 300))
    picture = read_picture(studio.folder / "photo.png")
    (found,) = find_objects(picture, studio.plan().items, 0.3, Teller())
    assert found.box == (70, 60, 230, 140)


def test_a_whole_picture_is_one_object_without_a_number() -> None:
    plan, events = item(1), list[Event]()
    (found,) = find_objects(photo(), {None: plan}, 0.3, Teller(events.append))
    assert (found.number, found.plan) == (None, plan)
    assert found.box == (0, 0, SIZE[1], SIZE[0])
    assert found.size == SIZE
    for mask in (found.mask.probability, found.mask.decision, found.paints):
        assert mask.shape == (1, *SIZE)
        assert bool((mask == 1).all())
    assert events == []
    assert Blob.prompts == []


def test_an_object_that_is_not_found_is_named_by_its_number() -> None:
    y, x = np.unravel_index(blob(BlobParams(seed=2)).argmin(), SIZE)
    plans = {0: item(1), 1: item(2, point=[int(x), int(y)])}
    with pytest.raises(InputError, match="no object was found at the point") as caught:
        find_objects(photo(), plans, 0, Teller())
    assert caught.value.where == "objects.1"


# --- one object -----------------------------------------------------------------------------------


def test_a_refiner_has_the_last_word(studio: Studio) -> None:
    stencil = {"use": "stencil", "path": "mask.png", "refine": {"use": "shift", "pixels": 3}}
    plan = studio.plan(segmenter=stencil).objects[0]
    picture = read_picture(studio.folder / "photo.png")
    mask = find_object(picture, plan.segmenter, plan.select)
    x0, y0, x1, y1 = BOX
    expected = rectangle((x0 + 3, y0, x1 + 3, y1)) > 0
    np.testing.assert_array_equal(mask.decision[0].numpy() > 0, expected)


def test_several_objects_that_fit_are_told() -> None:
    plan = item(3, 0.2, instance="largest")
    events: list[Event] = []
    find_object(photo(), plan.segmenter, plan.select, events.append)
    (note,) = events
    assert isinstance(note, Note)
    assert "separate regions fit" in note.message


def test_what_a_segmenter_notes_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def noted(self: Blob, image: Tensor, prompt: Prompt) -> Segmentation:
        return replace(plain(self, image, prompt), notes=("the mask is stretched",))

    plain = Blob.segment
    monkeypatch.setattr(Blob, "segment", noted)
    plan = item(1)
    events: list[Event] = []
    segmentations: dict[Any, Segmentation] = {}
    for _ in range(2):
        find_object(photo(), plan.segmenter, plan.select, events.append, segmentations)
    assert events.count(Note("the mask is stretched")) == 1


def test_what_was_segmented_before_is_not_segmented_again() -> None:
    one, other = item(1).segmenter, item(2).segmenter
    segmentations: dict[Any, Segmentation] = {}

    def find(segmenter: Use, **select: Any) -> Segmentation:
        selection = Select.model_validate(select)
        return segment(photo(), segmenter, selection, segmentations)[1]

    first = find(one)
    assert find(one, instance=1) is first  # which of the objects it is, the segmenter is not told
    assert len(Blob.prompts) == 1
    assert find(other) is not first
    assert find(one, point=[1, 1]) is not first  # another prompt may have another answer
    assert Blob.prompts == [Prompt(), Prompt(), Prompt(point=(1, 1))]
    assert find(one) is first
    segment(photo(), one, Select())
    assert len(Blob.prompts) == 4  # nothing is remembered by itself


def test_a_selection_is_in_pixels_of_the_file(studio: Studio) -> None:
    """A photo of 60 by 44 pixels is read at half its size, and the point is at (22, 12)."""
    picture = read_picture(studio.folder / "photo.png", longest=WIDTH // 2)
    assert picture.size == (HEIGHT // 2, WIDTH // 2)
    plan = studio.plan().objects[0]
    asked = Select.model_validate({"point": [22, 12], "box": [2, 2, 60, 44]})
    select, segmentation = segment(picture, plan.segmenter, asked)
    assert (select.point, select.box) == ((11, 6), (1, 1, 30, 22))
    assert segmentation.probabilities.shape == (2, HEIGHT // 2, WIDTH // 2)
    with pytest.raises(InputError, match="outside of the picture") as caught:
        segment(picture, plan.segmenter, Select(point=(60, 12)))
    assert caught.value.hint == "x goes from 0 to 59, y from 0 to 43"


def test_one_segmentation_serves_all_objects_that_ask_for_the_same(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from instyle_toy.parts import Stencil

    calls = []
    original = Stencil.segment

    def segment(*given: Any) -> Any:
        calls.append(given)
        return original(*given)

    monkeypatch.setattr(Stencil, "segment", segment)
    parts = [rectangle((2, 2, 12, 12)), rectangle((30, 5, 50, 25))]
    save(studio.folder / "mask.png", np.max(parts, axis=0))
    studio.run(objects=[{"select": {"instance": 0}}, {"select": {"instance": 1}}])
    assert len(calls) == 1
    changed = (studio.output != studio.photo).any(axis=2)
    assert not changed[np.max(parts, axis=0) == 0].any()
    assert changed[parts[0] > 0].mean() > 0.9
    assert changed[parts[1] > 0].mean() > 0.9
    studio.run(objects=[{"select": {"instance": 0}}, {"select": {"point": [3, 3]}}])
    assert len(calls) == 3  # another prompt may have another answer


# --- the styles -----------------------------------------------------------------------------------


def test_the_style_is_the_best_of_a_ranking_or_what_the_spec_names() -> None:
    named = [Path("a.png"), Path("b.png")]
    plan = object_plan(style=Style.model_construct(images=named, choose_from=None))
    ones = torch.ones(1, *SIZE)
    found = FoundObject(0, plan, Mask(ones, ones), ones, (0, 0, 2, 2))
    assert found.styles == named
    ranking = {Path("best.png"): Rating(0.1), Path("worse.png"): Rating(0.2)}
    plan = object_plan(style=Style.model_construct(images=None, choose_from=None))
    chosen = FoundObject(0, plan, Mask(ones, ones), ones, (0, 0, 2, 2), ranking)
    assert chosen.styles == [Path("best.png")]
