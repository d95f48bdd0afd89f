"""``instyle style rank``: a table or JSON of the pictures of a folder, best first."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.helpers.commands import MAIN, Command, Done, assert_error
from tests.core.helpers.forks import Forked
from tests.core.helpers.interrupted import record
from tests.core.helpers.studio import BOX, TOY, Studio, rectangle, save

#: Red is nearest to the object, blue to what is around it.
COLORS = {"a-blue.png": (20, 40, 220), "b-green.png": (40, 200, 40), "c-red.png": (220, 30, 30)}
STENCIL = "{use: stencil, path: mask.png, name: thing}"


@pytest.fixture
def studio(studio: Studio) -> Studio:
    """A red object before blue, and three style pictures of one color each."""
    photo = np.full_like(studio.photo, (0, 0, 250))
    photo[rectangle(BOX) > 0] = (250, 0, 0)
    save(studio.folder / "photo.png", photo)
    (studio.folder / "styles").mkdir()
    for name, color in COLORS.items():
        save(studio.folder / "styles" / name, np.full((12, 9, 3), color, np.uint8))
    return studio


@pytest.fixture
def rank(instyle: Command, studio: Studio) -> Command:
    """Rank by the toy, for the object in mask.png."""

    def run(
        *options: str, use: str = "near", segmenter: str | None = STENCIL, folder: str = "styles"
    ) -> Done:
        found = ["--segmenter", segmenter] if segmenter else []
        return instyle("style", "rank", "photo.png", folder, "--use", use, *found, *options)

    return run


def names(done: Done) -> list[str]:
    assert (done.status, done.err) == (0, "")
    return [Path(rated["picture"]).name for rated in json.loads(done.out)["ranking"]]


def test_as_a_table(rank: Command) -> None:
    done = rank()
    assert (done.status, done.err) == (0, "")
    heading, *rows = (line.split() for line in done.out.splitlines())
    assert heading == ["rank", "picture", "score", "distance", "red"]
    assert [row[:2] for row in rows] == [
        ["1", "c-red.png"],
        ["2", "b-green.png"],
        ["3", "a-blue.png"],
    ]
    for row in rows:
        distance = np.linalg.norm(np.subtract(COLORS[row[1]], (250, 0, 0))) / 255
        assert float(row[2]) == float(row[3]) == pytest.approx(distance, abs=0.03)
        assert float(row[4]) == pytest.approx(COLORS[row[1]][0] / 255, abs=1e-3)


def test_as_json(rank: Command, studio: Studio) -> None:
    done = rank("--json")
    document = json.loads(done.out)
    assert names(done) == ["c-red.png", "b-green.png", "a-blue.png"]
    assert document["box"] == list(BOX)
    assert document["ranker"]["use"] == "near"
    first = document["ranking"][0]
    assert first["picture"] == str(studio.folder / "styles" / "c-red.png")
    assert first["score"] == first["figures"]["distance"]


def test_it_is_what_a_run_would_say(rank: Command, studio: Studio) -> None:
    shown = json.loads(rank("--json").out)["ranking"]
    studio.run(style={"choose_from": "styles", "ranker": "near"})
    for each in shown:  # the record's files are relative to its folder
        each["picture"] = os.path.relpath(each["picture"], studio.folder / "out.png.run")
    assert record(studio)["objects"]["object-0"]["style"]["ranking"] == shown


def test_the_whole_photo(rank: Command) -> None:
    done = rank("--whole", "--json", segmenter=None)
    assert names(done)[0] == "a-blue.png"
    assert json.loads(done.out)["box"] is None


@pytest.mark.parametrize(
    "options", [("--point", "30,20"), ("--box", "15,5,50,40"), ("--class", "thing")]
)
def test_an_object_that_is_pointed_at(rank: Command, options: tuple[str, ...]) -> None:
    assert names(rank(*options, "--json"))[0] == "c-red.png"


def test_the_segmenter_that_is_left_out_finds_what_is_pointed_at(rank: Command) -> None:
    """click, as in `instyle segment` and in a spec; of such noise, it may find nothing."""
    box = "--box", ",".join(map(str, BOX)), "--json"
    assert rank(*box, segmenter=None) == rank(*box, segmenter="click")
    done = rank(*box, segmenter="grabcut")
    assert names(done)[0] == "c-red.png"
    assert json.loads(done.out)["box"] == list(BOX)


def test_the_ranker_that_is_left_out_is_affinity(instyle: Command, studio: Studio) -> None:
    done = instyle("style", "rank", "photo.png", "styles", "--segmenter", STENCIL, "--json")
    assert names(done)[0] == "c-red.png"
    document = json.loads(done.out)
    assert document["ranker"]["use"] == "affinity"
    assert set(document["ranking"][0]["figures"]) == {"features", "color"}


def test_a_ranker_with_parameters_and_an_extractor(rank: Command) -> None:
    use = "{use: near, extractor: pixels, score: 2}"
    document = json.loads(rank("--json", use=use).out)
    assert [rated["score"] for rated in document["ranking"]] == [2, 2, 2]
    assert document["ranker"]["extractor"] == "pixels"


def test_a_broken_picture_is_told_and_passed_over(rank: Command, studio: Studio) -> None:
    (studio.folder / "styles" / "broken.png").write_text("no picture")
    done = rank("--json")
    assert done.status == 0
    assert [Path(rated["picture"]).name for rated in json.loads(done.out)["ranking"]] == [
        "c-red.png",
        "b-green.png",
        "a-blue.png",
    ]
    assert done.err.startswith("note: ")
    assert "broken.png is skipped" in done.err.replace("\n", "")


def test_brackets_in_names_are_no_markup(rank: Command, studio: Studio) -> None:
    (studio.folder / "styles" / "a-blue.png").rename(studio.folder / "styles" / "[red]x.png")
    assert "[red]x.png" in rank().out


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_names_that_the_output_cannot_spell(studio: Studio, encoding: str) -> None:
    name = os.fsdecode("日本 🎨".encode() + b"\xe9.png")
    (studio.folder / "styles" / "c-red.png").rename(studio.folder / "styles" / name)
    # What PYTHONIOENCODING does to a program that starts.
    code = f"import sys; sys.stdout.reconfigure(encoding='{encoding}', errors='strict'); {MAIN}"
    asked = ("style", "rank", "photo.png", "styles", "--use", "near", "--segmenter", STENCIL)
    for more in ((), ("--json",)):
        process = Forked(code, *asked, *more, folder=studio.folder, path=(TOY,))
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        assert "\\udce9.png" in out
    assert Path(json.loads(out)["ranking"][0]["picture"]).name == name


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "no pictures", "all broken"])
def test_bad_folders(rank: Command, studio: Studio, kind: str) -> None:
    folder = studio.folder / "bad"
    if kind == "file":
        folder.touch()
    elif kind != "missing":
        folder.mkdir()
    if kind == "no pictures":
        (folder / "a.txt").touch()
    if kind == "all broken":
        (folder / "a.png").touch()
        done = rank(folder="bad")
        assert (done.status, done.out) == (2, "")
        assert "error: " in done.err
        assert "no picture in this folder can be read" in done.err
        return
    words = {
        "missing": "there is no such folder",
        "file": "this is a file, not a folder",
        "empty": "the folder is empty",
        "no pictures": "there are no pictures in this folder",
    }
    assert_error(rank(folder="bad"), 2, str(folder), words[kind], hint=kind != "missing")


@pytest.mark.parametrize(
    ("options", "more", "what"),
    [
        (("--point", "999,1"), {}, "the point [999, 1] is outside of the picture"),
        (("--class", "cat"), {}, "does not know the class 'cat'"),
        ((), {"use": "neer"}, "--use: use: no ranker is called 'neer'; did you mean 'near'?"),
        ((), {"use": ""}, "--use: should name the ranker"),
        (("--max-megapixels", "0.001"), {}, "raise the limit"),
        ((), {"use": "{use: near, score: x}"}, "--use: score: should be a number"),
        ((), {"use": "{use: near, extractor: cubes}"}, "no extractor is called 'cubes'"),
        ((), {"segmenter": "near"}, "--segmenter: use: no segmenter is called 'near'"),
    ],
)
def test_what_is_wrong(
    rank: Command, options: tuple[str, ...], more: dict[str, Any], what: str
) -> None:
    assert_error(rank(*options, **more), 2, what, hint=False)


@pytest.mark.parametrize("options", [("--class", "thing"), ("--point", "1,2")])
def test_whole_goes_with_no_object(rank: Command, options: tuple[str, ...]) -> None:
    done = rank("--whole", *options, segmenter=None)
    assert done.status == 2
    assert "--whole" in done.err
    assert done.out == ""


def test_missing_weights(rank: Command) -> None:
    done = rank(use="{use: near, weights: true}")
    assert_error(done, 3, "toy-missing")


def test_a_run_prints_the_ranking_on_standard_error(instyle: Command, studio: Studio) -> None:
    spec = studio.spec(style={"choose_from": "styles", "ranker": "near"})
    done = instyle("pipeline", "run", spec)
    assert done.status == 0
    assert done.out == f"{studio.folder / 'out.png'}\n"
    lines = done.err.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("style of object 0: c-red.png"))
    table = [line.split() for line in lines[at + 1 : at + 5]]
    assert table[0] == ["rank", "picture", "score", "distance", "red"]
    assert [row[1] for row in table[1:]] == ["c-red.png", "b-green.png", "a-blue.png"]


def test_a_run_prints_the_first_of_many(instyle: Command, studio: Studio) -> None:
    for number in range(20):
        save(studio.folder / "styles" / f"{number:02}.png", np.full((9, 9, 3), 9, np.uint8))
    done = instyle(
        "pipeline", "run", studio.spec(style={"choose_from": "styles", "ranker": "near"})
    )
    assert "and 13 more" in done.err
    assert len(record(studio)["objects"]["object-0"]["style"]["ranking"]) == 23
