"""``instyle pipeline validate``, ``init`` and ``schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from instyle_core.config.document import Document
from instyle_core.config.plan import PRESETS
from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.studio import Studio, noise, save


def test_validate(instyle: Command, studio: Studio) -> None:
    spec = studio.spec(objects=[{}, {}])
    done = instyle("pipeline", "validate", spec)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{spec}: fine (2 objects of photo.png)\n"
    done = instyle("pipeline", "validate", spec, "--set", "objects.1.merger={use: clumsy}")
    assert done.status == 0
    assert_error(
        instyle("pipeline", "validate", spec, "--set", "objects.1.merger.use=clumsi"),
        2,
        "--set objects.1.merger.use=clumsi: ",
        hint=False,
    )
    assert not (studio.folder / "out.png").exists()


def test_validate_a_whole_picture(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "validate", studio.spec(objects=None))
    assert "the whole picture of photo.png" in done.out


def pictures_of(spec: Any) -> set[str]:
    """Every picture that a preset names for the user to replace."""
    found = {spec["content"]}
    for item in [spec, *spec.get("objects", [])]:
        style = item.get("style")
        if isinstance(style, dict):
            found |= set(style["images"])
        elif style:
            found.add(style)
    return found


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid_once_their_pictures_are_there(
    instyle: Command, tmp_path: Path, preset: str
) -> None:
    path = tmp_path / "new.yaml"
    done = instyle("pipeline", "init", "--preset", preset, "-o", path)
    assert (done.status, done.err) == (0, "")
    assert f"instyle pipeline run {path}" in done.out
    named = pictures_of(yaml.safe_load(path.read_text("utf-8")))
    assert len(named) >= 2
    # At first, all that is wrong is that they are missing.
    done = instyle("pipeline", "validate", path)
    assert_error(done, 2, *named, hint=False)
    assert done.err.count("error: ") == len(named)
    for name in named:
        save(tmp_path / Path(name).with_suffix(".png"), noise(8, 8)).rename(tmp_path / name)
    done = instyle("pipeline", "validate", path)
    assert done.status == 0, done.err


def test_init_does_not_overwrite(instyle: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("my work")
    done = instyle("pipeline", "init", "-o", path)
    assert_error(done, 2, str(path))
    assert path.read_text() == "my work"


def test_init_writes_to_standard_output(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "init", "-o", "-", "--preset", "draft")
    assert done.status == 0
    assert done.err == ""
    instyle("pipeline", "init", "--preset", "draft")  # to spec.yaml
    line, _, preset = (studio.folder / "spec.yaml").read_text("utf-8").partition("\n")
    assert line.startswith("# yaml-language-server: $schema=")
    assert done.out == preset
    assert not (studio.folder / "-").exists()


def test_init_into_a_folder_that_is_not_there(instyle: Command, tmp_path: Path) -> None:
    done = instyle("pipeline", "init", "-o", tmp_path / "no" / "spec.yaml")
    assert_error(done, 1, str(tmp_path / "no" / "spec.yaml"))


def test_schema(instyle: Command, studio: Studio) -> None:
    done = instyle("pipeline", "schema")
    assert (done.status, done.err) == (0, "")
    schema = json.loads(done.out)
    assert {"content", "output", "objects", "losses", "optimizer"} <= set(schema["properties"])
    for name in ("stencil", "tint", "clumsy", "vgg19", "content", "style", "hard", "mask"):
        assert f'"{name}"' in done.out
    assert "color" in done.out


def test_a_schema_in_a_file(instyle: Command, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    for _ in range(2):
        done = instyle("pipeline", "schema", "-o", path)
        assert (done.status, done.out) == (0, f"wrote {path}\n")
        assert path.read_text("utf-8") == instyle("pipeline", "schema").out
    path.write_text("my work")
    assert_error(instyle("pipeline", "schema", "-o", path), 2, str(path))
    assert path.read_text() == "my work"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_new_spec_names_a_schema_that_accepts_it(
    instyle: Command, tmp_path: Path, preset: str
) -> None:
    spec = tmp_path / "new.yaml"
    instyle("pipeline", "init", "--preset", preset, "-o", spec)
    first, *_ = spec.read_text("utf-8").splitlines()
    name = first.removeprefix("# yaml-language-server: $schema=")
    schema = json.loads((tmp_path / name).read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    # Not by PyYAML: to it, as to YAML 1.1, `1e8` is a text; editors read YAML 1.2.
    data = Document.read(spec).data
    assert list(validator.iter_errors(data)) == []
    assert list(validator.iter_errors({**data, "size": "large"}))
    # As it stands in the file, so that a plugin that is installed later is known after a renewal.
    (tmp_path / name).write_text((tmp_path / name).read_text("utf-8").replace("feather", "gone"))
    instyle("pipeline", "schema", "-o", tmp_path / name)
    assert json.loads((tmp_path / name).read_text("utf-8")) == schema


def test_a_new_spec_leaves_a_file_alone_that_is_no_schema(instyle: Command, tmp_path: Path) -> None:
    (tmp_path / ".instyle-schema.json").write_text("{}")
    done = instyle("pipeline", "init", "-o", tmp_path / "new.yaml")
    assert_error(done, 2, ".instyle-schema.json")
    assert (tmp_path / ".instyle-schema.json").read_text() == "{}"
    assert not (tmp_path / "new.yaml").exists()


def test_a_spec_in_the_folder_that_the_run_replaces(instyle: Command, studio: Studio) -> None:
    assert instyle("pipeline", "run", studio.spec(), "--quiet").status == 0
    inside = studio.folder / "out.png.run" / "mine.yaml"
    pictures = {"content": "../photo.png", "output": "../out.png", "style": "../style.png"}
    studio.spec(
        "out.png.run/mine.yaml", segmenter={"use": "mask", "path": "../mask.png"}, **pictures
    )
    before = inside.read_bytes()
    for command in ("run", "validate"):
        assert_error(instyle("pipeline", command, inside), 2, "mine.yaml", "out.png.run")
    assert inside.read_bytes() == before
    record = studio.folder / "out.png.run" / "run.json"
    assert instyle("pipeline", "run", record, "--quiet").status == 0
