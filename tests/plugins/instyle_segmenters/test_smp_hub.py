"""Models of segmentation-models-pytorch on the hub: fetched once, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from instyle_core import Prompt, WeightsError, fetch_from_hub, testing
from tests.core.helpers.hub import Hub
from tests.core.helpers.weights_server import arrived
from tests.plugins.instyle_segmenters.smp_networks import NAMES, segmenter

pytestmark = pytest.mark.usefixtures("no_downloads")


@pytest.fixture
def hub(hub: Hub, unet_folder: Path) -> Hub:
    """Has a model by the name of ``user/net``."""
    for name in ("config.json", "model.safetensors"):
        hub.add("user/net", (unet_folder / name).read_bytes(), file=name)
    return hub


def cached(tmp_path: Path) -> list[str]:
    return [path.name for path in arrived(tmp_path / "cache")]


def test_a_model_of_the_hub(
    hub: Hub, unet_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = segmenter(pretrained="user/net", classes=NAMES).segment(
        testing.picture(128, 128), Prompt()
    )
    same = segmenter(pretrained=unet_folder, classes=NAMES).segment(
        testing.picture(128, 128), Prompt()
    )
    assert torch.equal(seen.probabilities, same.probabilities)
    assert cached(tmp_path) == ["config.json", "model.safetensors"]
    asked = len(hub.asked)
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    segmenter(pretrained="user/net", classes=NAMES)  # out of the cache
    assert len(hub.asked) == asked


@pytest.mark.parametrize("answer", ["break", "lie", "404", "500"])
def test_a_download_that_fails_leaves_nothing(hub: Hub, tmp_path: Path, answer: str) -> None:
    hub.answer = answer
    for there in ([], ["config.json"]):
        with pytest.raises(WeightsError) as caught:
            segmenter(pretrained="user/net", classes=NAMES)
        assert caught.value.exit_status == 3
        assert caught.value.where
        assert caught.value.hint
        assert cached(tmp_path) == there
        hub.answer = "well"
        fetch_from_hub("user/net", "config.json")  # now it is the weights that fail
        hub.answer = answer


def test_no_such_model(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="could not be asked for 'user/nest'") as caught:
        segmenter(pretrained="user/nest", classes=NAMES)
    assert caught.value.where == f"{hub.url}/user/nest/resolve/main/config.json"
    assert "check name and network" in str(caught.value.hint)
    assert cached(tmp_path) == []


def test_offline(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="INSTYLE_OFFLINE forbids") as caught:
        segmenter(pretrained="user/net", classes=NAMES)
    assert caught.value.exit_status == 3
    assert "/user/net/resolve/main/config.json by other means" in str(caught.value.hint)
    assert hub.asked == []
    assert not (tmp_path / "cache").exists()
