"""The options that tell which object is meant, and which plugin is to be used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from instyle_core.weights.record import Weights
from tests.core.helpers.commands import assert_error
from tests.core.helpers.segments import SEVERAL, Segment, assert_refused, objects, selected
from tests.core.helpers.studio import Studio, listing, rectangle, save
from tests.core.helpers.weights_server import WeightsServer

# --- by a point, a box or a class -----------------------------------------------------------------


@pytest.fixture
def two(studio: Studio) -> None:
    mask = np.maximum(rectangle((2, 2, 12, 12)), rectangle((20, 5, 50, 25)))
    save(studio.folder / "mask.png", mask)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("options", "box"),
    [
        (["--point", "3,4"], [2, 2, 12, 12]),
        (["--point", "30,10"], [20, 5, 50, 25]),
        (["--box", "0,0,16,44"], [2, 2, 12, 12]),
        (["--box", "30,0,60,10"], [30, 5, 50, 10]),
        (["--class", "object"], [20, 5, 50, 25]),
        (["--class", "object", "--point", "2,2"], [2, 2, 12, 12]),
        (["--box", "0,0,25,20", "--point", "22,7"], [20, 5, 25, 20]),
    ],
)
def test_one_object_by_point_box_and_class(
    segment: Segment, options: list[str], box: list[int]
) -> None:
    (found,) = selected(segment("--json", *options))
    assert found["box"] == box
    assert found["class"] == "object"


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--point", "15,30"], ["no object was found at the point [15, 30]"]),
        (["--point", "60,3"], ["outside", "from 0 to 59"]),
        (["--point", "-1,3"], ["--point: should be [x, y] from 0 on"]),
        (["--box", "5,5,5,9"], ["--box: ", "x0 < x1"]),
        (["--box", "0,0,61,9"], ["outside"]),
        (["--box", "13,30,19,40"], ["no object was found in the box"]),
        (["--class", "dog"], ["'dog'", "object"]),
        (["--point", "3"], ["'3'", "X,Y"]),
        (["--point", "3,x"], ["'3,x'", "X,Y"]),
        (["--box", "1,2,3"], ["X0,Y0,X1,Y1"]),
    ],
)
def test_wrong_pointers(
    studio: Studio, segment: Segment, options: list[str], words: list[str]
) -> None:
    before = listing(studio.folder)
    assert_refused(segment(*options), *words)
    assert_refused(segment(*options, "--json"), *words)
    assert listing(studio.folder) == before


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (["--point", "3,3", "--point", "31,35"], [(2, 2, 36, 40)]),
        (["--not", "21,6"], [SEVERAL[0]]),
        (["--not", "21,6", "--not", "3,3"], [SEVERAL[2]]),
        (["--box", "0,0,60,44", "--not", "21,6", "--instance", "1"], [SEVERAL[2]]),
        (["--class", "object", "--class", "object", "--point", "3,3"], [SEVERAL[0]]),
    ],
)
def test_several_points_and_points_that_are_not_on_it(
    segment: Segment, options: list[str], chosen: list[tuple[int, ...]]
) -> None:
    assert [tuple(row["box"]) for row in selected(segment("--json", *options))] == chosen


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--point", "3,3", "--not", "3,3"], ["--not: the point [3, 3] is also said to be on"]),
        (["--point", "3,3", "--point", "-1,3"], ["--point: should be [x, y] from 0 on"]),
        (["--point", "3,3", "--point", "60,3"], ["the point [60, 3] is outside"]),
        (["--not", "3,44"], ["the point [3, 44] is outside"]),
        (["--point", "3,3", "--not", "4,4"], ["cannot tell the point [3, 3] from [4, 4]"]),
        (["--class", "object", "--class", "cow"], ["--class", "'cow'"]),
        (["--text", " "], ["--text", "blank"]),
        (["--text", "a cow"], ["--text", "'stencil' does not find objects by words", "use: text"]),
        (["--point", "3,3", "--box", "5,5,9,9"], ["--box: the point [3, 3] is not in it"]),
    ],
)
def test_selections_that_contradict_themselves_or_the_segmenter(
    studio: Studio, segment: Segment, options: list[str], words: list[str]
) -> None:
    before = listing(studio.folder)
    assert_refused(segment(*options), *words)
    assert listing(studio.folder) == before


# --- which one of several -------------------------------------------------------------------------


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ([], []),
        (["--class", "object"], [1]),
        (["--instance", "0"], [1]),
        (["--instance", "1"], [0]),
        (["--instance", "2"], [2]),
        (["--instance", "largest"], [1]),
        (["--instance", "all"], [1, 0, 2]),
        (["--point", "3,3"], [0]),
        (["--box", "0,0,60,44", "--instance", "2"], [2]),
    ],
)
def test_all_that_fit_are_listed_and_what_is_meant_is_marked(
    segment: Segment, options: list[str], chosen: list[int]
) -> None:
    rows = objects(segment("--json", *options))
    assert [tuple(row["box"]) for row in rows if row["selected"]] == [SEVERAL[n] for n in chosen]
    pointed = "--point" in options
    assert [row["instance"] for row in rows] == ([0] if pointed else [0, 1, 2])


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--instance", "3"], ["no instance 3", "3 fit"]),
        (["--instance", "-1"], ["'-1'", "largest"]),
        (["--instance", "second"], ["'second'", "all"]),
    ],
)
def test_no_such_instance(segment: Segment, options: list[str], words: list[str]) -> None:
    assert_refused(segment(*options), *words)


# --- a plugin by name -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("stencill", ["'stencil'"]),
        ("vgg19", ["extractor"]),
        ("{use: mask}", ["path"]),
        ("{use: mask, path: no-such.png}", ["path", "no-such.png"]),
        ("{use: mask, path: mask.png, invertt: true}", ["'invert'"]),
        ("{use: grabcut, iterations: 0}", ["iterations", "at least 1"]),
        ("{use: mask, path: mask.png, path: photo.png}", ["twice"]),
        ("3", ["use"]),
        ("[mask]", ["use"]),
        ("", ["use"]),
        ("{path: mask.png}", ["use"]),
        ("{use: [", ["YAML"]),
    ],
)
def test_a_segmenter_that_is_wrong(
    studio: Studio, segment: Segment, use: str, words: list[str]
) -> None:
    assert_refused(segment(use=use), "--use", *words)


# --- the weights that a plugin needs --------------------------------------------------------------

REFINED = "{use: stencil, path: mask.png, refine: {use: shift, weights: true}}"


def test_weights_of_a_missing_package_are_an_error(studio: Studio, segment: Segment) -> None:
    before = listing(studio.folder)
    assert_error(segment(use=REFINED), 3, "toy-missing", "no_such_package")
    assert listing(studio.folder) == before


def test_missing_weights_are_downloaded_once(
    segment: Segment, cache: Path, server: WeightsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = Weights(
        name="toy-remote",
        file="remote.bin",
        url=server.url,
        sha256=hashlib.sha256(server.body).hexdigest(),
        megabytes=1.0,
        license="none",
        summary="Weights of the toy.",
    )
    monkeypatch.setattr("instyle_toy.MISSING", weights)
    done = segment(use=REFINED)
    assert done.status == 0
    assert done.err.splitlines()[-1] == "downloading toy-remote: 1 of 1 MB"
    assert (cache / "remote.bin").read_bytes() == server.body
    done = segment(use=REFINED)
    assert (done.status, done.err) == (0, "")
    assert server.requests == 1
