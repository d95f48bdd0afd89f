"""The package as a whole: its records, and ``instyle segment`` with it, as users see it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import instyle_sam
from instyle_core import testing
from instyle_core.images.picture import write_picture
from instyle_core.plugin.registry import Registry
from instyle_sam.sam import Sam
from instyle_sam.text import Text
from instyle_sam.weights import READERS, SAMS
from tests.core.helpers.commands import Command, assert_error


@pytest.fixture(autouse=True)
def _registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is at hand, whatever is installed; the photo is in the working directory."""
    registry = testing.registry(instyle_sam)
    monkeypatch.setattr(Registry, "installed", lambda: registry)
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "photo.png", testing.picture(40, 60))


def test_records() -> None:
    registry = testing.registry(instyle_sam)
    assert not registry.failures
    assert registry.find("segmenter", "sam").load() is Sam
    assert registry.find("segmenter", "text").load() is Text
    assert registry.find("segmenter", "sam").weights == tuple(SAMS.values())
    assert {*registry.find("segmenter", "text").weights} == {*SAMS.values(), *READERS.values()}


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys, instyle_sam; assert 'pydantic' not in sys.modules; "
        "plugins = instyle_sam.instyle_plugins(); "
        "[(p.params().pretrained(), p.params().needs(), p.params().finds()) for p in plugins]; "
        "assert not {'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_click_by_the_command_line(nets: Path, instyle: Command) -> None:
    use = f"{{use: sam, pretrained: {nets / 'sam2_video'}}}"
    done = instyle("segment", "photo.png", "--json", "--use", use, "--box", "2,3,50,30")
    assert done.status == 0, done.err
    (row,) = json.loads(done.out)["objects"]
    assert row["class"] == "object"
    assert row["selected"]


@pytest.mark.parametrize("model", list(SAMS))
def test_offline(model: str, instyle: Command) -> None:
    done = instyle("segment", "photo.png", "--use", f"{{use: sam, model: {model}}}")
    assert_error(done, 3, f"'{model}' are not downloaded, and INSTYLE_OFFLINE forbids")
    assert f"instyle models pull {model}" in done.err
    assert f"{SAMS[model].megabytes:g} MB" in done.err  # type: ignore[index]


def test_a_point_outside(nets: Path, instyle: Command) -> None:
    use = f"{{use: sam, pretrained: {nets / 'sam'}}}"
    done = instyle("segment", "photo.png", "--use", use, "--point", "60,10")
    assert_error(done, 2, "the point [60, 10] is outside of the picture")


def test_a_folder_with_other_files(copies: Path, instyle: Command) -> None:
    (copies / "sam" / "config.json").unlink()
    use = f"{{use: sam, pretrained: {copies / 'sam'}}}"
    assert_error(instyle("segment", "photo.png", "--use", use), 2, "no such file", hint=False)
    use = f"{{use: sam, pretrained: {copies / 'clipseg'}}}"
    assert_error(instyle("segment", "photo.png", "--use", use), 3, "of the type 'clipseg'")


def test_text_without_a_text(nets: Path, instyle: Command) -> None:
    use = f"{{use: text, method: clipseg, pretrained: {nets / 'clipseg'}}}"
    done = instyle("segment", "photo.png", "--use", use)
    assert_error(done, 2, "needs to be told what the object is")
