"""The package as a whole: its records, and runs with the depth loss, good ones and wrong ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import instyle_midas
from instyle_core import testing
from instyle_core.events import Event, Step
from instyle_midas.depth import DepthLoss
from instyle_midas.midas import Midas
from instyle_midas.weights import PUBLISHED
from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.studio import BOX, Studio, listing

LOSSES = [{"use": "depth", "extractor": "near", "weight": 2}]


def near(folder: Path | str) -> dict[str, Any]:
    return {"near": {"use": "midas", "model": str(folder)}}


def test_records() -> None:
    registry = testing.registry(instyle_midas)
    assert not registry.failures
    assert registry.find("loss", "depth").load() is DepthLoss
    assert registry.find("extractor", "midas").load() is Midas
    assert {*registry.find("extractor", "midas").weights} == {*PUBLISHED.values()}


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys, instyle_midas; assert 'pydantic' not in sys.modules; "
        "plugins = instyle_midas.instyle_plugins(); "
        "plugins[0].params().layers(); plugins[0].params().pretrained(); "
        "plugins[1].params().reads(); "
        "assert not {'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


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


def test_a_run_by_the_command_line(studio: Studio, folder: Path, instyle: Command) -> None:
    """Beside other losses; the folder is named relative to the spec, and its files are recorded."""
    shutil.copytree(folder, studio.folder / "net")
    losses = [{"use": "tint"}, *LOSSES]
    done = instyle("pipeline", "run", studio.spec(losses=losses, extractors=near("net")))
    assert done.status == 0, done.err
    assert "tint" in done.err
    assert "depth" in done.err
    record = json.loads((studio.folder / "out.png.run" / "run.json").read_text())
    assert record["spec"]["extractors"]["near"]["model"] == "../net"
    names = {f"../net/{path.name}" for path in (studio.folder / "net").iterdir()}
    assert names <= {*record["inputs"]}
    first = studio.output
    assert instyle("pipeline", "run", studio.folder / "out.png.run" / "run.json").status == 0
    assert np.array_equal(studio.output, first)


def test_a_folder_without_a_network(studio: Studio, instyle: Command) -> None:
    (studio.folder / "net").mkdir()
    before = listing(studio.folder).keys()
    done = instyle("pipeline", "run", studio.spec(losses=LOSSES, extractors=near("net")))
    assert_error(done, 2, "extractors.near.model: no such file", "config.json", hint=False)
    assert listing(studio.folder).keys() - before == {"spec.yaml"}


def test_a_folder_with_pickles_alone(studio: Studio, folder: Path, instyle: Command) -> None:
    shutil.copytree(folder, studio.folder / "net")
    (studio.folder / "net" / "model.safetensors").rename(studio.folder / "net" / "model.bin")
    done = instyle("pipeline", "run", studio.spec(losses=LOSSES, extractors=near("net")))
    assert_error(done, 2, "extractors.near.model: the folder has model.bin", hint=False)


def test_a_damaged_network(studio: Studio, folder: Path, instyle: Command) -> None:
    shutil.copytree(folder, studio.folder / "net")
    (studio.folder / "net" / "model.safetensors").write_bytes(b"nothing")
    done = instyle("pipeline", "run", studio.spec(losses=LOSSES, extractors=near("net")))
    assert_error(done, 2, "damaged", str(studio.folder / "net" / "model.safetensors"))
    assert not (studio.folder / "out.png").exists()


@pytest.mark.parametrize("losses", [LOSSES, [{"use": "depth"}]])
def test_a_download_that_is_forbidden(
    studio: Studio, losses: list[dict[str, Any]], instyle: Command
) -> None:
    extractors = near("depth-anything-v2-small") if losses is LOSSES else None
    done = instyle("pipeline", "run", studio.spec(losses=losses, extractors=extractors))
    name = "depth-anything-v2-small" if losses is LOSSES else "dpt-hybrid-midas"
    assert_error(done, 3, f"'{name}' are not downloaded, and INSTYLE_OFFLINE forbids")
    assert f"instyle models pull {name}" in done.err


def test_a_layer_that_an_extractor_does_not_have(studio: Studio, instyle: Command) -> None:
    done = instyle("pipeline", "run", studio.spec(losses=[{"use": "depth", "extractor": "vgg19"}]))
    assert_error(done, 2, "'vgg19' has no layer 'depth'", hint=False)
