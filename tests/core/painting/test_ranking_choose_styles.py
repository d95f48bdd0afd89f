"""The objects that choose their style from a folder: each has its ranking, by colors as numbers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from instyle_core.config.plan import Plan
from instyle_core.events import Event, Ranked, StageFinished, StageStarted, Teller
from instyle_core.images.picture import read_picture
from instyle_core.objects.find import FoundObject, find_objects
from instyle_core.painting import ranking
from instyle_core.painting.networks import load_networks
from instyle_core.painting.ranking import choose_styles
from tests.core.helpers.studio import Studio, save
from tests.core.helpers.style_folder import COLORS, NEAR, RED, TEAL, distances, fill, second

#: A second folder, and a ranker that reads another extractor, whose ranking is the same.
FEW = {"choose_from": "few", "ranker": "near"}
OTHER_RANKER = {**NEAR, "ranker": {"use": "near", "extractor": "pixels"}}


@pytest.fixture(autouse=True)
def styles(studio: Studio) -> Path:
    (studio.folder / "few").mkdir()
    save(studio.folder / "few" / "gray.png", np.full((8, 8, 3), 128, np.uint8))
    return fill(studio)


def found_in(plan: Plan) -> list[FoundObject]:
    photo = read_picture(plan.spec.content)
    return find_objects(photo, plan.items, plan.spec.margin, Teller())


def choose(plan: Plan, found: list[FoundObject], events: list[Event]) -> list[FoundObject]:
    photo = read_picture(plan.spec.content)
    networks = load_networks(plan, torch.device("cpu"), torch.float32)
    return choose_styles(found, photo, plan, networks, Teller(events.append))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each style picture was read."""
    counts: Counter[str] = Counter()
    original = ranking.read_picture

    def read(path: Path, **options: Any) -> Any:
        counts[path.name] += 1
        return original(path, **options)

    monkeypatch.setattr(ranking, "read_picture", read)
    return counts


def test_each_object_is_ranked_by_its_own_folder_and_ranker(
    studio: Studio, styles: Path, reads: Counter[str]
) -> None:
    objects = [{"style": FEW}, second(style=NEAR), {"style": NEAR}, second(style=OTHER_RANKER)]
    # Found one by one: of two that are the same, nothing would be left for the second.
    found = [found_in(studio.plan(objects=[item]))[0] for item in objects]
    plan = studio.plan(objects=objects)
    numbered = [
        FoundObject(number, item, one.mask, one.paints, one.box)
        for number, (item, one) in enumerate(zip(plan.objects, found, strict=True))
    ]
    events: list[Event] = []
    chosen = choose(plan, numbered, events)

    assert [one.number for one in chosen] == [0, 1, 2, 3]
    rankings = [one.ranking for one in chosen]
    assert [path.name for path in rankings[0] or ()] == ["gray.png"]
    for number, color in ((1, TEAL), (2, RED), (3, TEAL)):
        assert [path.name for path in rankings[number] or ()] == list(distances(color))
        assert chosen[number].styles == [styles / next(iter(distances(color)))]
    for before, after in zip(numbered, chosen, strict=True):
        assert (after.plan, after.mask, after.paints) == (before.plan, before.mask, before.paints)
    # Objects 1 and 2 have both in common; another ranker reads the pictures again.
    assert reads == {"gray.png": 1, **dict.fromkeys(COLORS, 2)}
    told = [event for event in events if isinstance(event, Ranked)]
    assert [(event.item, event.ranking) for event in told] == [*enumerate(rankings)]
    assert (events[0], type(events[-1])) == (StageStarted("rank"), StageFinished)


def test_an_object_that_names_its_style_stays_as_it_is(studio: Studio) -> None:
    plan = studio.plan(objects=[{}, second(style=NEAR)])
    found = found_in(plan)
    events: list[Event] = []
    named, chosen = choose(plan, found, events)
    assert named.ranking is None
    assert named.styles == [studio.folder / "style.png"]
    assert [path.name for path in chosen.ranking or ()] == list(distances(TEAL))
    assert [event.item for event in events if isinstance(event, Ranked)] == [1]


def test_without_a_folder_nothing_is_read_or_told(studio: Studio, reads: Counter[str]) -> None:
    plan = studio.plan(objects=[{}, second()])
    found = found_in(plan)
    events: list[Event] = []
    assert choose(plan, found, events) == found
    assert events == []
    assert not reads


def test_a_whole_picture_chooses_too(studio: Studio, styles: Path) -> None:
    plan = studio.plan(objects=None, segmenter=None, style=NEAR)
    found = found_in(plan)
    events: list[Event] = []
    (chosen,) = choose(plan, found, events)
    mean = studio.photo.reshape(-1, 3).mean(axis=0)
    assert chosen.styles == [styles / next(iter(distances(mean)))]
    assert [event.item for event in events if isinstance(event, Ranked)] == [None]
