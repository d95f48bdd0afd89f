"""Specs: what they name is put in, and what they may not read is refused before it is looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instyle_core import InputError, InstyleError, SpecError
from instyle_studio.session import Session
from instyle_studio.specs import bundle, clean, inside, prepare, problems, start_of
from tests.core.helpers.studio import BOX, noise, rectangle, save
from tests.plugins.instyle_studio.serving import spec_of, style_folder


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session with a photo, a style, a mask, and a folder of styles."""
    return Session(tmp_path / "session", [style_folder(tmp_path / "styles")])


@pytest.fixture
def spec(session: Session, tmp_path: Path) -> dict[str, Any]:
    photo = session.add("photos", save(tmp_path / "p.png", noise()), "my cat.jpg").id
    style = session.add("styles", save(tmp_path / "s.png", noise(seed=4)), "my cat.png").id
    with session.making("masks") as (mask, folder):
        save(folder / "mask.png", rectangle(BOX))
    return spec_of(photo, style, mask)


def prepared(session: Session, written: Any, **more: Any) -> Any:
    with session.making("runs") as (_, folder):
        return prepare(session, written, folder, **more)


def test_references_become_files_that_move_with_the_session(
    session: Session, spec: dict[str, Any]
) -> None:
    found = prepared(session, spec)
    assert found.spec == spec
    written = yaml.safe_load(found.text)
    assert written["content"] == f"../../photos/{spec['content'][6:]}/file.png"
    (item,) = written["objects"]
    assert item["style"] == f"../../styles/{spec['objects'][0]['style'][6:]}/file.png"
    assert item["segmenter"]["path"].endswith("/mask.png")
    assert written["output"] == "result.png"
    assert {path.parts[-3] for path in found.plan.inputs} == {"photos", "styles", "masks"}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("x.jpg", "result.jpg"),
        ("/etc/x.png", "result.png"),
        ("../../x.webp", "result.webp"),
        ("x", "result.png"),
        (None, "result.png"),
    ],
)
def test_the_output_is_the_run_s_own(
    session: Session, spec: dict[str, Any], output: str | None, expected: str
) -> None:
    found = prepared(session, {**spec, "output": output})
    assert yaml.safe_load(found.text)["output"] == expected
    assert found.plan.spec.output.is_relative_to(session.root / "runs")


def test_a_preview_is_what_the_command_line_makes(session: Session, spec: dict[str, Any]) -> None:
    spec = {**spec, "size": 512, "optimizer": {"use": "adam", "steps": 300}}
    found = prepared(session, spec, small=True)
    assert found.spec["size"] == 512
    small = yaml.safe_load(found.text)
    assert (small["size"], small["shrink"], small["optimizer"]["steps"]) == (224, 640, 60)
    assert small["output"] == "result.png"


# --- what may be read -----------------------------------------------------------------------------

OUTSIDE = [
    "/etc/passwd",
    "../../../../../../etc/passwd",
    "~/x.png",
    "~root/x",
    "/proc/self/environ",
]


def places(spec: dict[str, Any], value: str) -> list[dict[str, Any]]:
    """The spec with a path in each of the places that may have one."""
    item = spec["objects"][0]
    return [
        {**spec, "content": value},
        {**spec, "start": value},
        {**spec, "objects": [{**item, "style": value}]},
        {**spec, "objects": [{**item, "style": {"images": [item["style"], value]}}]},
        {**spec, "objects": [{**item, "style": {"choose_from": value}}]},
        {**spec, "objects": [{**item, "segmenter": {"use": "mask", "path": value}}]},
        {**spec, "objects": [{**item, "segmenter": {"use": "mask", "add": [value]}}]},
        {**spec, "objects": [{**item, "segmenter": {"use": "fcn8s", "weights": value}}]},
        {**spec, "extractors": {"vgg19": {"use": "vgg19", "weights": value}}},
    ]


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_else_is_read_whether_it_is_there_or_not(
    session: Session, spec: dict[str, Any], path: str
) -> None:
    for changed in places(spec, path):
        with pytest.raises(InputError) as caught:
            prepared(session, changed)
        told = problems(caught.value)
        assert any("may not read" in e["what"] for e in told), told
        assert not any("no such file" in e["what"] for e in told)
        assert not any((session.root / "runs").iterdir())


def test_a_link_out_of_a_folder_of_styles_is_not_followed(
    session: Session, spec: dict[str, Any], tmp_path: Path
) -> None:
    link = tmp_path / "styles" / "link.png"
    assert link.exists()
    for changed in places(spec, str(link)):
        with pytest.raises(InputError):
            prepared(session, changed)
    # Nor is it when all of the folder is read.
    folder = next(iter(session.folders))
    item = {**spec["objects"][0], "style": {"choose_from": f"folder:{folder}"}}
    with pytest.raises(InputError, match="may not read"):
        prepared(session, {**spec, "objects": [item]})
    link.unlink()
    found = prepared(session, {**spec, "objects": [item]})
    assert {path.name for path in found.plan.inputs} >= {"red.png", "noise.png"}


def test_a_link_in_the_session_is_not_followed(session: Session, spec: dict[str, Any]) -> None:
    with session.making("photos") as (identity, folder):
        (folder / "file.png").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="may not read"):
        prepared(session, {**spec, "content": f"photo:{identity}"})


def test_a_folder_of_the_user_may_be_read(session: Session, spec: dict[str, Any]) -> None:
    folder = next(iter(session.folders.values()))
    item = {**spec["objects"][0], "style": str(folder / "red.png")}
    found = prepared(session, {**spec, "objects": [item]})
    assert folder / "red.png" in found.plan.inputs


def test_what_is_not_there(session: Session, spec: dict[str, Any]) -> None:
    for reference in ("photo:0123456789abcdef", "folder:0123456789abcdef", "run:0123456789abcdef"):
        with pytest.raises(InputError, match="in this session"):
            prepared(session, {**spec, "content": reference})


def test_texts_are_no_files(session: Session, spec: dict[str, Any]) -> None:
    item = {"segmenter": "clik", "select": {"text": "/etc/passwd"}, "style": spec["content"]}
    with pytest.raises(InstyleError) as caught:
        prepared(session, {**spec, "objects": [item]})
    assert not any("may not read" in e["what"] for e in problems(caught.value))


def test_parameters_of_a_single_plugin(session: Session, spec: dict[str, Any]) -> None:
    mask = spec["objects"][0]["segmenter"]
    found = inside(session, mask)
    assert found["path"] == str(session.item("masks", mask["path"][5:]).path)
    assert inside(session, None) is None
    assert inside(session, "click") == "click"
    for path in OUTSIDE:
        with pytest.raises(InputError, match="may not read"):
            inside(session, {"use": "mask", "path": path})


def test_everything_that_is_wrong_has_its_key_and_line(session: Session) -> None:
    text = "version: 1\ncontent: /etc/passwd\nsize: 1\nobjects:\n- style: {scale: 99}\n"
    seen: dict[str, Any] = {}
    with pytest.raises(SpecError) as caught:
        prepared(session, text, seen=seen)
    found = {e["key"]: e["where"].rpartition(":")[2] for e in problems(caught.value)}
    assert found == {"content": "2", "size": "3", "objects.0.style.scale": "5"} | {
        key: line for key, line in found.items() if key == "objects.0.style"
    }
    assert seen["size"] == 1


# --- bundles --------------------------------------------------------------------------------------


def test_a_bundle_has_plain_names_that_differ(
    session: Session, spec: dict[str, Any], tmp_path: Path
) -> None:
    text, files = bundle(session, {**spec, "output": "result.png"}, tmp_path / "session")
    assert [*files] == ["my cat.png", "mask.png", "my cat-2.png"] or {*files} == {
        "my cat.png",
        "my cat-2.png",
        "mask.png",
    }
    written = yaml.safe_load(text)
    names = (written["content"], written["objects"][0]["style"])
    assert {*names} == {"my cat.png", "my cat-2.png"}
    assert files[names[0]] == session.item("photos", spec["content"][6:]).path


def test_a_bundle_of_a_folder_of_styles(session: Session, spec: dict[str, Any]) -> None:
    identity, folder = next(iter(session.folders.items()))
    item = {**spec["objects"][0], "style": {"choose_from": f"folder:{identity}"}}
    text, files = bundle(session, {**spec, "objects": [item]}, session.root)
    assert yaml.safe_load(text)["objects"][0]["style"] == {"choose_from": "styles"}
    inner = {name: path for name, path in files.items() if name.startswith("styles/")}
    assert inner["styles/red.png"] == folder / "red.png"
    assert "styles/link.png" not in inner


def test_a_bundle_without_one_of_its_files_is_none(
    session: Session, spec: dict[str, Any], tmp_path: Path
) -> None:
    folder = next(iter(session.folders.values()))
    item = {**spec["objects"][0], "style": str(folder / "red.png")}
    assert "red.png" in bundle(session, {**spec, "objects": [item]}, session.root)[1]
    (folder / "red.png").unlink()
    with pytest.raises(InputError, match="any more"):
        bundle(session, {**spec, "objects": [item]}, session.root)


names = st.text(min_size=1, max_size=300)


@given(name=names)
def test_a_cleaned_name_is_harmless(name: str) -> None:
    found = clean(name)
    assert 0 < len(found) <= 90
    assert not {*'/\\:\0\n"<>|*?'} & {*found}
    assert not found.startswith((".", "-")) or not found.startswith(".")
    assert os.path.basename(found) == found
    assert clean(found) == found


def test_the_result_of_a_run_to_start_from(session: Session, tmp_path: Path) -> None:
    with session.making("runs") as (identity, folder):
        save(folder / "result.png", noise())
    assert start_of(session, identity, tmp_path).parent.name == identity
    own = save(tmp_path / "start.png", noise())
    assert start_of(session, identity, tmp_path) == own
    with pytest.raises(InputError, match="no result"):
        start_of(session, "0" * 16, session.root)
