"""What is given is found, and each picture has a name of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instyle_batch.inputs import jobs_of, lines_of, output_name, photos, styles_of
from instyle_core import InputError, InstyleError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "b.jpg",
        "a.PNG",
        "notes.txt",
        ".hidden.jpg",
        "inner/c.heic",
        "inner/deep/d.tif",
        ".git/e.jpg",
        "a.png.run/object-0/mask.png",
    ):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def test_a_folder_is_taken_as_it_is_nested(tree: Path) -> None:
    names = ["a.PNG", "b.jpg", "inner/c.heic", "inner/deep/d.tif"]
    found = [*photos([str(tree)])]
    assert found == [(name, str(tree / name)) for name in names]
    assert [*photos(["photos"])] == found
    assert [*photos(["photos/"])] == found


def test_a_file_has_its_own_name_whatever_its_suffix(tree: Path) -> None:
    assert [*photos(["photos/inner/c.heic", "photos/notes.txt"])] == [
        ("c.heic", str(tree / "inner/c.heic")),
        ("notes.txt", str(tree / "notes.txt")),
    ]


def test_patterns(tree: Path) -> None:
    assert [*photos(["photos/*.jpg"])] == [("b.jpg", str(tree / "b.jpg"))]
    names = [name for name, _ in photos(["photos/**/*.*"])]
    assert names == ["a.PNG", "b.jpg", "inner/c.heic", "inner/deep/d.tif"]
    odd = tree / "[x].jpg"
    odd.touch()
    assert [*photos([str(odd)])] == [("[x].jpg", str(odd))]  # a file, and no pattern


@pytest.mark.parametrize(
    ("text", "words"),
    [("nowhere", "no such file or folder"), ("photos/*.txt", "no photo fits this pattern")],
)
def test_what_is_not_there(tree: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        [*photos([text])]
    assert caught.value.where == text


def test_an_unreadable_folder_is_told_with_its_name(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "inner":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match="cannot be read: Permission denied") as caught:
        [*photos([str(tree)])]
    assert caught.value.where == str(tree / "inner")


@given(st.sets(st.text("abx.", min_size=1, max_size=5).map(lambda text: f"{text}.jpg"), max_size=9))
def test_no_two_names_clash_whatever_else_is_there(names: set[str]) -> None:
    alone = {name: output_name(name) for name in names}
    assert len({*alone.values()}) == len(names)
    jobs = jobs_of([(name, f"/{name}") for name in sorted(names)], []) if names else []
    assert {job.photo: job.name for job in jobs} == {f"/{k}": v for k, v in alone.items()}


def test_the_format_is_kept_if_it_can_be_written() -> None:
    kept = ["x.png", "x.JPG", "x.tiff", "a/x.webp", "x.avif"]
    assert [output_name(name) for name in kept] == kept
    assert output_name("x.heic") == "x.heic.png"
    assert output_name("x") == "x.png"


def test_each_photo_in_each_style() -> None:
    jobs = jobs_of([("a.jpg", "/p/a.jpg"), ("b/c.jpg", "/p/b/c.jpg")], ["/s/one.png", "/s/two.jpg"])
    assert [(job.name, job.photo, job.style) for job in jobs] == [
        ("one/a.jpg", "/p/a.jpg", "/s/one.png"),
        ("two/a.jpg", "/p/a.jpg", "/s/two.jpg"),
        ("one/b/c.jpg", "/p/b/c.jpg", "/s/one.png"),
        ("two/b/c.jpg", "/p/b/c.jpg", "/s/two.jpg"),
    ]


@pytest.mark.parametrize(
    ("found", "styles", "words"),
    [
        ([("a.jpg", "/p/a.jpg"), ("a.jpg", "/q/a.jpg")], [], "one output 'a.jpg'"),
        ([("x.gif", "/p/x.gif"), ("x.gif.png", "/p/x.gif.png")], [], "one output 'x.gif.png'"),
        ([("a.jpg", "/p/a.jpg")], ["/s/x.png", "/s/x.jpg"], "one folder 'x'"),
        ([], [], "there is no photo"),
    ],
)
def test_what_cannot_be_told_apart(
    found: list[tuple[str, str]], styles: list[str], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        jobs_of(found, styles)
    assert caught.value.hint


def test_the_same_photo_twice_is_one(tree: Path) -> None:
    found = [*photos(["photos/b.jpg", "photos/b.jpg"])]
    assert [job.name for job in jobs_of(found, [])] == ["b.jpg"]


def test_lists(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("a.jpg\n\n  \nb c.jpg\r\nphotos/*.png\n")
    assert lines_of(str(path)) == ["a.jpg", "b c.jpg", "photos/*.png"]
    with pytest.raises(InputError, match="cannot be read"):
        lines_of(str(tmp_path / "nowhere"))


def test_styles(tree: Path) -> None:
    assert styles_of(["photos/b.jpg", "photos"]) == [
        str(tree / name) for name in ("b.jpg", "a.PNG", "inner/c.heic", "inner/deep/d.tif")
    ]
    with pytest.raises(InputError, match="--styles: there is no such file"):
        styles_of(["nowhere.jpg"])
    empty = tree / "empty"
    empty.mkdir()
    with pytest.raises(InstyleError, match="no picture in what --styles names"):
        styles_of([str(empty)])
