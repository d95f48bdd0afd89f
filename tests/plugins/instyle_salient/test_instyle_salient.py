"""The package as a whole: its records, its downloads, and ``instyle segment`` with it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import instyle_salient
from instyle_core import testing
from instyle_core.images.picture import write_picture
from instyle_core.plugin.registry import Registry
from instyle_salient.models import MODELS
from instyle_salient.salient import Salient
from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.weights_server import WeightsServer, arrived


@pytest.fixture(autouse=True)
def _registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is at hand, whatever is installed; the photo is in the working directory."""
    registry = testing.registry(instyle_salient)
    monkeypatch.setattr(Registry, "installed", lambda: registry)
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "photo.png", testing.picture(40, 60))


def test_records() -> None:
    registry = testing.registry(instyle_salient)
    assert not registry.failures
    plugin = registry.find("segmenter", "salient")
    assert plugin.load() is Salient
    assert {*plugin.weights} == {model.weights for model in MODELS.values()}


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys, instyle_salient; assert 'pydantic' not in sys.modules; "
        "(plugin,) = instyle_salient.instyle_plugins(); plugin.params().pretrained(); "
        "assert not {'torch', 'onnxruntime', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_of_ones_own(onnx_file: Path, instyle: Command) -> None:
    use = f"{{use: salient, weights: {onnx_file}}}"
    done = instyle("segment", "photo.png", "--json", "--use", use, "--instance", "largest")
    assert done.status == 0, done.err
    (row,) = [row for row in json.loads(done.out)["objects"] if row["selected"]]
    assert row["class"] == "object"


def test_a_file_of_no_use(tmp_path: Path, instyle: Command) -> None:
    done = instyle("segment", "photo.png", "--use", "{use: salient, weights: photo.png}")
    assert_error(done, 3, "cannot load the network", str(tmp_path / "photo.png"))


@pytest.mark.parametrize("name", list(MODELS))
def test_offline(name: str, instyle: Command) -> None:
    done = instyle("segment", "photo.png", "--use", f"{{use: salient, model: {name}}}")
    assert_error(done, 3, f"'{name}' are not downloaded, and INSTYLE_OFFLINE forbids")
    assert f"instyle models pull {name}" in done.err
    assert f"{MODELS[name].weights.megabytes:g} MB" in done.err  # type: ignore[index]


@pytest.fixture
def published(
    server: WeightsServer, onnx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> WeightsServer:
    """A server that has the small network as ``u2netp``."""
    server.body = onnx_file.read_bytes()
    digest = hashlib.sha256(server.body).hexdigest()
    model = MODELS["u2netp"]
    weights = replace(model.weights, url=server.url, sha256=digest)
    monkeypatch.setitem(MODELS, "u2netp", replace(model, weights=weights))
    return server


def test_a_download_that_works(published: WeightsServer, instyle: Command, tmp_path: Path) -> None:
    """Once; the second time the file is there."""
    for _ in range(2):
        assert instyle("segment", "photo.png", "--use", "salient").status == 0
    assert published.requests == 1
    assert [path.name for path in arrived(tmp_path / "cache")] == ["u2netp.onnx"]


@pytest.mark.parametrize(
    ("answer", "words"), [("break", "IncompleteRead"), ("lie", "SHA-256"), ("404", "answered 404")]
)
def test_a_download_that_fails(
    published: WeightsServer, instyle: Command, tmp_path: Path, answer: str, words: str
) -> None:
    published.answers = (answer,)
    done = instyle("segment", "photo.png", "--use", "salient")
    assert (done.status, done.out) == (3, "")
    assert words in done.err
    assert arrived(tmp_path / "cache") == []
