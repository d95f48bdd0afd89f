"""A small network of segmentation-models-pytorch as files, and no download by chance."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file

from tests.plugins.instyle_segmenters.smp_networks import network


@pytest.fixture(scope="session")
def unet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A U-Net on MobileNetV2 with three classes."""
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    save_file(network().state_dict(), path)
    return path


@pytest.fixture(scope="session")
def unet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as `model.save_pretrained` writes it, made as people make it."""
    path = tmp_path_factory.mktemp("pretrained") / "net"
    made = network()
    made.config["encoder_weights"] = "imagenet"
    made.save_pretrained(str(path))
    return path


@pytest.fixture
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the real hub has failed."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a download")

    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", never)
    monkeypatch.setattr("segmentation_models_pytorch.base.hub_mixin.hf_hub_download", never)
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
