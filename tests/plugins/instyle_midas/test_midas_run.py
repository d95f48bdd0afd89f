"""Whole runs with the depth loss, and how the command line says what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instyle_core.cli import main
from instyle_core.events import Event, Step
from tests.core.helpers.commands import Done, assert_error
from tests.core.helpers.studio import BOX, Studio, listing

LOSSES = [{"use": "depth", "extractor": "near", "weight": 2}]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    return Studio.open(tmp_path, monkeypatch)


def near(folder: Path | str) -> dict[str, Any]:
    return {"near": {"use": "midas", "model": str(folder)}}


def run(spec: Path, capsys: pytest.CaptureFixture[str]) -> Done:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(["pipeline", "run", str(spec)])
    printed = capsys.readouterr()
    return Done(int(caught.value.code or 0), printed.out, printed.err)


def test_a_run_pulls_the_depth_of_noise_toward_that_of_the_photo(
    studio: Studio, folder: Path
) -> None:
    """By the depth term alone, and within the object alone."""
    seen: list[Event] = []
    optimizer = {"use": "adam", "steps": 40, "scales": 1, "learning_rate": 0.05}
    studio.run(
        seen.append, losses=LOSSES, extractors=near(folder), optimizer=optimizer, start="noise"
    )
    values = [event.losses["depth"] for event in seen if isinstance(event, Step)]
    assert 0.1 < values[0] < 8  # twice a number in [0, 4]
    assert min(values) < values[0] / 10
    changed = (studio.output != studio.photo).any(axis=-1)
    x0, y0, x1, y1 = BOX
    assert changed[y0:y1, x0:x1].mean() > 0.9
    changed[y0:y1, x0:x1] = False
    assert not changed.any()


def test_a_run_by_the_command_line(
    studio: Studio, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside other losses; the folder is named relative to the spec, and its files are recorded."""
    shutil.copytree(folder, studio.folder / "net")
    losses = [{"use": "tint"}, *LOSSES]
    done = run(studio.spec(losses=losses, extractors=near("net")), capsys)
    assert done.status == 0, done.err
    assert "tint" in done.err
    assert "depth" in done.err
    record = json.loads((studio.folder / "out.run" / "run.json").read_text())
    assert record["spec"]["extractors"]["near"]["model"] == str(studio.folder / "net")
    assert {str(path) for path in (studio.folder / "net").iterdir()} <= {*record["inputs"]}
    first = studio.output
    assert run(studio.folder / "out.run" / "run.json", capsys).status == 0
    assert np.array_equal(studio.output, first)


def test_a_folder_without_a_network(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    (studio.folder / "net").mkdir()
    before = listing(studio.folder).keys()
    done = run(studio.spec(losses=LOSSES, extractors=near("net")), capsys)
    assert_error(done, 2, "extractors.near.model: no such file", "config.json", hint=False)
    assert listing(studio.folder).keys() - before == {"spec.yaml"}


def test_a_folder_with_pickles_alone(
    studio: Studio, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder, studio.folder / "net")
    (studio.folder / "net" / "model.safetensors").rename(studio.folder / "net" / "model.bin")
    done = run(studio.spec(losses=LOSSES, extractors=near("net")), capsys)
    assert_error(done, 2, "extractors.near.model: the folder has model.bin", hint=False)


def test_a_damaged_network(
    studio: Studio, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder, studio.folder / "net")
    (studio.folder / "net" / "model.safetensors").write_bytes(b"nothing")
    done = run(studio.spec(losses=LOSSES, extractors=near("net")), capsys)
    assert_error(done, 3, "cannot load the network", str(studio.folder / "net"))
    assert not (studio.folder / "out.png").exists()


@pytest.mark.parametrize("losses", [LOSSES, [{"use": "depth"}]])
def test_a_download_that_is_forbidden(
    studio: Studio, losses: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    extractors = near("depth-anything-v2-small") if losses is LOSSES else None
    done = run(studio.spec(losses=losses, extractors=extractors), capsys)
    name = "depth-anything-v2-small" if losses is LOSSES else "dpt-hybrid-midas"
    assert_error(done, 3, f"'{name}' are not downloaded, and INSTYLE_OFFLINE forbids")
    assert f"instyle models pull {name}" in done.err


def test_a_layer_that_an_extractor_does_not_have(
    studio: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(studio.spec(losses=[{"use": "depth", "extractor": "vgg19"}]), capsys)
    assert_error(done, 2, "'vgg19' has no layer 'depth'", hint=False)
