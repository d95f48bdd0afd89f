"""Assignments by ``--set``: what a plan makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.helpers.commands import Command
from tests.core.helpers.specs import SPEC, load, problems


def test_set_counts_paths_from_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = folder / "work"
    work.mkdir()
    (work / "here.jpg").touch()
    monkeypatch.chdir(work)
    made = load(
        folder,
        SPEC,
        "style={images: [here.jpg, ../other.jpg]}",
        "output=out.jpg",
        "start=here.jpg",
        "segmenter={use: mask, path: here.jpg}",
    )
    assert made.spec.content == folder / "photo.jpg"
    assert made.spec.style
    assert made.spec.style.images == [work / "here.jpg", folder / "other.jpg"]
    assert made.spec.output == work / "out.jpg"
    assert made.spec.start == work / "here.jpg"
    assert made.spec.segmenter.params.model_dump()["path"] == work / "here.jpg"
    assert problems(folder, SPEC, "style=painting.jpg") == [
        f"--set style=painting.jpg: style: no such file: {work}/painting.jpg"
    ]


def test_set_reaches_every_corner(folder: Path) -> None:
    text = SPEC + "objects:\n  - select: {class: cat}\n  - style: other.jpg\n"
    made = load(
        folder,
        text,
        "size=64",
        "seed=1e2",
        "optimizer.use=lbfgs",
        "optimizer.steps=7",
        "objects.0.select.class=dog",
        "objects.1.losses.0={use: content, weight: 2}",
        "objects.2={select: {point: [1, 2]}}",
        "extractors.mine={use: vgg19, pooling: average}",
        "merger=hard",
    )
    assert (made.spec.size, made.spec.seed) == (64, 100)
    assert (made.spec.optimizer.use, made.spec.optimizer.steps) == ("lbfgs", 7)
    assert [item.select.class_name for item in made.objects] == ["dog", None, None]
    assert made.objects[2].select.point == (1, 2)
    assert [(use.plugin.name, use.weight) for use in made.objects[1].losses] == [("content", 2)]
    assert {item.merger.plugin.name for item in made.objects} == {"hard"}


def test_errors_of_set_join_those_of_the_file(folder: Path) -> None:
    found = problems(folder, SPEC + "sede: 1\n", "size=big", "objects.3.style=x", "nonsense")
    assert found == [
        "--set objects.3.style=x: 'objects' has no entry '3' "
        "(the spec has 0 there, counted from 0)",
        "--set nonsense: this is not of the form KEY=VALUE "
        "(for example --set objects.0.style=painting.jpg)",
        "--set size=big: size: should be a whole number; it is 'big'",
        "5: sede: unknown key 'sede'; did you mean 'seed'?",
    ]


def test_set_on_the_command_line(
    folder: Path, instyle: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "a.yaml").write_text(SPEC.replace("style: painting.jpg\n", ""))
    arguments = ("pipeline", "validate", "a.yaml", "--set")
    done = instyle(*arguments, "objects=[{style: other.jpg}]")
    assert (done.status, done.err) == (0, "")
    assert done.out == "a.yaml: fine (1 object of photo.jpg)\n"
    done = instyle(*arguments, "style=[")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: --set style=[: this is no YAML: ")
