"""Choosing a style from a folder: the ranking, what a run makes of it and what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from instyle_core import InputError, Mask, Ranker, Rating, View, pipeline
from instyle_core.config.plan import load_plan
from instyle_core.config.spec import Color
from instyle_core.errors import PluginError
from instyle_core.events import Event, Note, Ranked, StageStarted
from instyle_core.interfaces.params import RankerParams
from instyle_core.painting.ranking import SIDE, rank, subject_of
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.use import Use
from instyle_core.testing import PixelExtractor
from tests.core.helpers.interrupted import finish, interrupt, record, refusal, results, unbroken
from tests.core.helpers.studio import BOX, HEIGHT, WIDTH, Studio, noise, rectangle, save
from tests.core.helpers.style_folder import COLORS, NEAR, RED, TEAL, distances, fill, second


@pytest.fixture(autouse=True)
def styles(studio: Studio) -> Path:
    return fill(studio)


def style_of(studio: Studio, part: str = "object-0") -> dict[str, Any]:
    return record(studio)["objects"][part]["style"]


def names(ranking: Sequence[dict[str, Any]]) -> list[str]:
    return [Path(rated["picture"]).name for rated in ranking]


# --- a run ----------------------------------------------------------------------------------------


def test_the_nearest_picture_is_the_style(studio: Studio, styles: Path) -> None:
    expected = distances(RED)
    assert studio.run(style=NEAR).status == "finished"
    written = style_of(studio)
    assert written["chosen"] == f"../styles/{next(iter(expected))}"
    assert names(written["ranking"]) == list(expected)
    for rated, distance in zip(written["ranking"], expected.values(), strict=True):
        # The object's rim is resampled with the noise around it.
        assert rated["score"] == pytest.approx(distance, abs=0.03)
        assert rated["figures"]["distance"] == rated["score"]
        assert rated["figures"]["red"] == pytest.approx(COLORS[names([rated])[0]][0] / 255)


def test_the_result_is_that_of_the_picture_itself(studio: Studio, styles: Path) -> None:
    losses = [{"use": "inks"}]
    studio.run(style=NEAR, losses=losses)
    chosen = results(studio)
    best = next(iter(distances(RED)))
    studio.run(style=f"styles/{best}", losses=losses)
    assert results(studio) == chosen
    other = next(name for name in COLORS if name != best)
    studio.run(style=f"styles/{other}", losses=losses)
    assert results(studio) != chosen


def test_the_whole_picture(studio: Studio) -> None:
    """Mostly noise, whose mean is gray."""
    events = studio.events(style=NEAR, objects=None, segmenter=None, losses=[{"use": "inks"}])
    (ranked,) = (event for event in events if isinstance(event, Ranked))
    assert ranked.item is None
    mean = studio.photo.reshape(-1, 3).mean(axis=0)
    assert [path.name for path in ranked.ranking] == list(distances(mean))
    assert names(style_of(studio, "picture")["ranking"]) == list(distances(mean))


def test_each_object_has_its_own_choice(studio: Studio) -> None:
    events = studio.events(style=NEAR, objects=[{}, second()])
    ranked = [event for event in events if isinstance(event, Ranked)]
    assert [event.item for event in ranked] == [0, 1]
    for event, color in zip(ranked, (RED, TEAL), strict=True):
        assert [path.name for path in event.ranking] == list(distances(color))
        chosen = style_of(studio, f"object-{event.item}")["chosen"]
        assert Path(chosen).name == next(iter(distances(color)))
    assert distances(RED) != distances(TEAL)


def test_only_objects_that_choose_have_a_ranking(studio: Studio) -> None:
    events = studio.events(objects=[{}, second(style=NEAR)])
    assert [event.item for event in events if isinstance(event, Ranked)] == [1]
    assert "style" not in record(studio)["objects"]["object-0"]
    assert "style" in record(studio)["objects"]["object-1"]


def test_without_a_folder_nothing_is_ranked(studio: Studio) -> None:
    events = studio.events()
    assert not any(isinstance(event, Ranked) for event in events)
    assert "rank" not in [event.stage for event in events if isinstance(event, StageStarted)]


def test_a_picture_is_read_once_for_all_objects(
    studio: Studio, styles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from instyle_core.painting import ranking

    reads: Counter[str] = Counter()
    extractions: list[int] = []
    read, extract = ranking.read_picture, PixelExtractor.extract

    def counted(path: Path, **options: Any) -> Any:
        reads[path.name] += 1
        return read(path, **options)

    def extracted(self: PixelExtractor, images: Tensor, layers: Sequence[str]) -> Any:
        extractions.append(len(images))
        return extract(self, images, layers)

    monkeypatch.setattr(ranking, "read_picture", counted)
    monkeypatch.setattr(PixelExtractor, "extract", extracted)
    style = {**NEAR, "ranker": {"use": "near", "extractor": "pixels"}}
    studio.run(style=style, objects=[{}, second()])
    assert reads == dict.fromkeys(COLORS, 1)
    assert len(extractions) == len(COLORS) + 2  # the pictures and the two objects


def test_equal_scores_go_by_name(studio: Studio, styles: Path) -> None:
    studio.run(style={**NEAR, "ranker": {"use": "near", "score": 0.5}})
    assert names(style_of(studio)["ranking"]) == sorted(COLORS)


def test_the_object_alone_counts(studio: Studio, styles: Path) -> None:
    photo = studio.photo
    photo[rectangle(BOX) == 0] = (0, 0, 250)
    save(studio.folder / "photo.png", photo)
    studio.run(style=NEAR)
    assert names(style_of(studio)["ranking"]) == list(distances(RED))


@pytest.mark.parametrize("by", ["luminance", "histogram"])
def test_a_style_that_loses_its_colors_is_not_judged_by_them(studio: Studio, by: str) -> None:
    """Its mean becomes that of the object before anything is compared."""
    studio.run(style=NEAR, color={"of": "content", "by": by})
    for rated in style_of(studio)["ranking"]:
        assert rated["score"] < 0.05
    assert distances(RED)["blue.png"] > 0.9


def test_the_report_has_the_ranking(studio: Studio) -> None:
    studio.run(style=NEAR)
    page = (studio.folder / "out.png.run" / "report.html").read_text("utf-8")
    order = [page.index(f"<td>{name}</td>") for name in distances(RED)]
    assert order == sorted(order)


# --- broken pictures ------------------------------------------------------------------------------


def spoil(styles: Path) -> list[str]:
    (styles / "a-text.png").write_text("no picture")
    whole = (styles / "blue.png").read_bytes()
    (styles / "b-half.png").write_bytes(whole[: len(whole) // 2])
    (styles / "c-gone.png").symlink_to(styles / "nowhere.png")
    (styles / "d-empty.jpg").touch()
    return ["a-text.png", "b-half.png", "c-gone.png", "d-empty.jpg"]


def test_broken_pictures_are_told_and_skipped(studio: Studio, styles: Path) -> None:
    broken = spoil(styles)
    events = studio.events(style=NEAR, objects=[{}, second()])
    notes = [event.message for event in events if isinstance(event, Note)]
    assert len(notes) == len(broken)
    for name, note in zip(broken, notes, strict=True):
        assert note.startswith(f"{styles / name} is skipped: ")
    assert record(studio)["notes"] == notes
    assert names(style_of(studio)["ranking"]) == list(distances(RED))


def test_the_photo_is_no_style_for_itself(studio: Studio, styles: Path) -> None:
    (styles / "a.png").symlink_to(studio.folder / "photo.png")
    save(styles / "b.png", studio.photo)  # a copy is a picture like any other
    studio.run(style=NEAR)
    assert sorted(names(style_of(studio)["ranking"])) == ["b.png", *COLORS]
    assert record(studio)["notes"] == [f"{styles / 'a.png'} is skipped: it is the photo itself"]


def test_none_can_be_read(studio: Studio, styles: Path) -> None:
    for name in COLORS:
        (styles / name).write_text("no picture")
    with pytest.raises(InputError, match="no picture in this folder can be read") as caught:
        studio.run(style=NEAR)
    assert caught.value.where is not None
    assert caught.value.where.startswith(str(studio.folder / "spec.yaml"))
    assert caught.value.hint is not None
    assert "blue.png: this is not a picture that can be read" in caught.value.hint
    assert not (studio.folder / "out.png").exists()


def test_a_picture_that_is_too_large_is_skipped(studio: Studio, styles: Path) -> None:
    best = next(iter(distances(RED)))
    save(styles / best, np.full((100, 200, 3), COLORS[best], np.uint8))
    studio.run(style=NEAR, max_megapixels=0.01)
    assert best not in names(style_of(studio)["ranking"])
    (note,) = record(studio)["notes"]
    assert best in note


def test_a_score_that_is_no_number(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    from instyle_toy.parts import Near

    monkeypatch.setattr(Near, "rate", lambda *_: Rating(float("nan")))
    with pytest.raises(PluginError, match="the ranker 'near' of instyle-toy") as caught:
        studio.run(style=NEAR)
    assert caught.value.where == str(studio.folder / "styles" / "blue.png")


# --- again ----------------------------------------------------------------------------------------


def test_the_record_of_a_run_repeats_it(studio: Studio, styles: Path) -> None:
    spoil(styles)
    losses = [{"use": "inks"}]
    first = unbroken(studio, plan := studio.plan(style=NEAR, losses=losses))
    assert pipeline.run(plan).status == "finished"
    before = style_of(studio)
    again = load_plan(studio.folder / "out.png.run" / "run.json")
    (studio.folder / "out.png").unlink()
    assert pipeline.run(again).status == "finished"
    assert results(studio) == first
    assert style_of(studio) == before


@pytest.mark.parametrize(("item", "step"), [(0, 2), (0, 4), (1, 1)])
def test_a_resumed_run_comes_to_the_same(studio: Studio, item: int, step: int) -> None:
    changes = {"style": NEAR, "objects": [{}, second()], "losses": [{"use": "inks"}]}
    plan = studio.plan(**changes)
    assert pipeline.run(plan).status == "finished"
    expected, styles = results(studio), [style_of(studio, f"object-{n}") for n in (0, 1)]
    shutil.rmtree(plan.folder)
    interrupt(plan, item, step)
    finish(plan)
    assert results(studio) == expected
    assert [style_of(studio, f"object-{n}") for n in (0, 1)] == styles


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("add", "this file was not there when the run was started"),
        ("remove", "this file was there when the run was started, and cannot be read now"),
        ("alter", "this file has changed since the run was started"),
    ],
)
def test_a_folder_that_has_changed_keeps_a_run_from_going_on(
    studio: Studio, styles: Path, change: str, what: str
) -> None:
    changes = {"style": NEAR, "losses": [{"use": "inks"}]}
    interrupt(studio.plan(**changes), 0, 2)
    name = "new.png" if change == "add" else "green.png"
    if change == "remove":
        (styles / name).unlink()
    else:
        save(styles / name, np.full((9, 9, 3), RED, np.uint8))
    error = refusal(studio.plan(**changes), studio)
    assert error.what == what
    assert error.where == str(styles / name)


def test_the_hashes_of_the_pictures_are_kept(studio: Studio, styles: Path) -> None:
    studio.run(style=NEAR)
    assert {f"../styles/{name}" for name in COLORS} < set(record(studio)["inputs"])


# --- what a ranker sees ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording(Use):
    """A use of a ranker that keeps what it is shown."""

    seen: list[tuple[View, View]] = field(default_factory=list)

    def create(self) -> Ranker:
        seen = self.seen

        class Recorder(Ranker):
            def rate(self, content: View, style: View) -> Rating:
                seen.append((content, style))
                return Rating(0.0)

        return Recorder()


@pytest.mark.parametrize("size", [(40, 25), (600, 375)])
def test_views_have_one_long_side_whatever_the_files_have(
    studio: Studio, styles: Path, size: tuple[int, int]
) -> None:
    save(styles / "one.png", noise(*size))
    use = Recording(Plugin("ranker", "recorder", RankerParams, "", ""), RankerParams())
    photo = torch.rand(3, HEIGHT, WIDTH)
    mask = torch.from_numpy(rectangle(BOX) / 255).float()[None]
    subjects = [subject_of(photo, Mask(mask, mask), Color(of="style"), 0.1)]
    subjects.append(subject_of(photo, None, Color(of="style"), 0.1))
    rank(
        [styles / "one.png"],
        studio.folder / "photo.png",
        subjects,
        use,
        {},
        torch.device("cpu"),
        lambda event: None,
        max_megapixels=1,
    )
    (content, style), (whole, _) = use.seen
    assert tuple(style.image.shape) == (1, 3, SIDE, SIDE * 25 // 40)
    assert bool((style.mask() == 1).all())
    # The object's box of 21 pixels a side with 8 around it, grown to 48 where the photo has them.
    assert tuple(content.image.shape[2:]) == (round(SIDE * 44 / 48), SIDE)
    assert float(content.mask().mean()) == pytest.approx(21 * 21 / (44 * 48), rel=0.03)
    assert tuple(whole.image.shape[2:]) == (round(SIDE * HEIGHT / WIDTH), SIDE)
    assert bool((whole.mask() == 1).all())


def test_events_are_told_before_anything_is_painted(studio: Studio) -> None:
    kinds: list[Event] = [
        event for event in studio.events(style=NEAR) if isinstance(event, Ranked | StageStarted)
    ]
    at = next(i for i, event in enumerate(kinds) if isinstance(event, Ranked))
    stages = [event.stage for event in kinds[:at] if isinstance(event, StageStarted)]
    assert stages == ["read", "load", "segment", "rank"]
    assert json.dumps([str(path) for path in kinds[at].ranking])  # type: ignore[union-attr]


def test_a_name_may_be_any_bytes(studio: Studio, styles: Path) -> None:
    """Such names come out of old archives. In JSON, each byte that is no UTF-8 is an escape."""
    name = os.fsdecode(b"Vall\xe9e.png")
    (styles / next(iter(distances(RED)))).rename(styles / name)
    plan = studio.plan(style=NEAR, losses=[{"use": "inks"}])
    first = unbroken(studio, plan)
    interrupt(plan, 0, 2)
    finish(plan)
    assert results(studio) == first
    assert style_of(studio)["chosen"] == f"../styles/{name}"
    assert name in names(style_of(studio)["ranking"])
    assert pipeline.run(load_plan(studio.folder / "out.png.run" / "run.json")).status == "finished"
    assert results(studio) == first
