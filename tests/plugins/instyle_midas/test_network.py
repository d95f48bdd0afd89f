"""Networks from a folder and from the hub: what is loaded, and every way in which that can fail."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, ViTConfig, ViTForImageClassification

from instyle_core import WeightsError, fetch, fetch_from_hub, testing
from instyle_core.weights.hub import hub_weights
from instyle_midas import weights
from instyle_midas.midas import Midas
from instyle_midas.params import MidasParams
from tests.core.helpers.hub import COMMIT, Hub
from tests.core.helpers.weights_server import arrived
from tests.plugins.instyle_midas import networks
from tests.plugins.instyle_midas.networks import FILES

UNUSED = "neck.fusion_stage.layers.0.residual_layer1."


def unusable(folder: Path) -> WeightsError:
    """The error of a folder that has all the files."""
    with pytest.raises(WeightsError) as caught:
        networks.extractor(folder)
    error = caught.value
    assert error.exit_status == 3
    assert str(error.where).startswith(str(folder))
    assert error.hint
    assert "\n" not in error.what
    return error


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# --- what is loaded -------------------------------------------------------------------------------


def test_frozen_and_in_float32(folder: Path, tmp_path: Path) -> None:
    half = networks.save(tmp_path / "half", networks.dpt().half())
    for path in (folder, half):
        network = networks.extractor(path)
        assert not network.network.training
        assert {(p.dtype, p.requires_grad) for p in network.parameters()} == {
            (torch.float32, False)
        }


def test_loading_is_silent_and_draws_no_random_numbers(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    state = torch.get_rng_state()
    networks.extractor(folder)
    assert torch.equal(torch.get_rng_state(), state)
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


# --- what cannot be loaded ------------------------------------------------------------------------


def cut(copy: Path) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def classifier(copy: Path) -> None:
    shape = {"num_attention_heads": 2, "hidden_size": 8, "intermediate_size": 8}
    config = ViTConfig(num_hidden_layers=1, image_size=32, **shape)
    ViTForImageClassification(config).save_pretrained(copy, safe_serialization=True)


def text(copy: Path) -> None:
    BertConfig().save_pretrained(copy)


def evil(copy: Path) -> None:
    """Code that came with a network, and leaves a trace when it is run."""
    trace = copy / "trace"
    (copy / "evil.py").write_text(f"open({str(trace)!r}, 'w')\n")
    auto = {"AutoConfig": "evil.Config", "AutoModelForDepthEstimation": "evil.Model"}
    edit(copy / "config.json", model_type="evil", auto_map=auto)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, "cannot load the network"),
        (lambda copy: (copy / "model.safetensors").write_bytes(b""), "cannot load the network"),
        (lambda copy: (copy / "config.json").write_text("{"), "cannot load the network"),
        (lambda copy: (copy / "config.json").write_text("[]"), "cannot load the network"),
        (lambda copy: (copy / "preprocessor_config.json").write_text("{"), "cannot load"),
        (lambda copy: edit(copy / "config.json", hidden_size="many"), "cannot load the network"),
        (lambda copy: edit(copy / "config.json", model_type="none"), "cannot load the network"),
        (evil, "cannot load the network"),
        (classifier, "of the type 'vit', which does not predict inverse relative depth"),
        (text, "of the type 'bert'"),
        (
            lambda copy: edit(copy / "config.json", fusion_hidden_size=16),
            "is [16] in the file and [8]",
        ),
        (lambda copy: edit(copy / "config.json", num_hidden_layers=6), "layer.4"),
        (lambda copy: edit(copy / "preprocessor_config.json", do_pad=True), "`do_pad: True`"),
        (
            lambda copy: edit(
                copy / "preprocessor_config.json", image_processor_type="ViTImageProcessor"
            ),
            "`image_processor_type: ViTImageProcessor",
        ),
        (
            lambda copy: edit(copy / "preprocessor_config.json", size={"shortest_edge": 64}),
            "its settings are not those of a `DPTImageProcessor`",
        ),
    ],
)
def test_unusable_folders(copy: Path, change: Callable[[Path], Any], message: str) -> None:
    change(copy)
    assert message in unusable(copy).what
    assert not (copy / "trace").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": {"height": 0, "width": 0}}, "greater than 0"),
        ({"size": {"height": 65, "width": 47}}, ""),  # other than the patches
        ({"image_mean": [0.5, 0.5]}, "tensor"),
        ({"image_std": [0, 0, 0]}, "its depth is not finite"),
        ({"keep_aspect_ratio": True}, ""),  # a DPT of transformers takes square pictures alone
    ],
)
def test_settings_that_the_network_fails_at(
    copy: Path, changes: dict[str, Any], reason: str
) -> None:
    edit(copy / "preprocessor_config.json", **changes)
    error = unusable(copy)
    assert "the network fails on a picture of 64x48 pixels: " in error.what
    assert reason in error.what
    assert "preprocessor_config.json" in str(error.hint)


def test_meters_are_not_inverse_depth(tmp_path: Path) -> None:
    made = networks.depth_anything("metric")
    path = networks.save(tmp_path / "metric", made, **networks.ANYTHING)
    assert "of the type 'depth_anything, metric'" in unusable(path).what


def test_a_tensor_that_is_missing(copy: Path) -> None:
    state = load_file(copy / "model.safetensors")
    name = "head.head.2.weight"
    del state[name]
    save_file(state, copy / "model.safetensors", metadata={"format": "pt"})
    assert f"the tensor '{name}' is absent" in unusable(copy).what


def test_tensors_that_are_never_used_may_be_missing(copy: Path, midas: Midas) -> None:
    """The published files of DPT lack them."""
    state = load_file(copy / "model.safetensors")
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(UNUSED)}
    assert len(kept) == len(state) - 4
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    image = testing.picture(64, 64)[None]
    depth = networks.extractor(copy).extract(image, ["depth"])["depth"]
    assert torch.equal(depth, midas.extract(image, ["depth"])["depth"])


@pytest.mark.parametrize("changes", [{"size": 96}, {"keep_aspect_ratio": True}])
def test_a_hybrid_takes_one_size(hybrid: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    copy = Path(shutil.copytree(hybrid, tmp_path / "net"))
    edit(copy / "preprocessor_config.json", **changes)
    assert "takes only pictures of 64x64 pixels" in unusable(copy).what


# --- networks of the hub --------------------------------------------------------------------------


@pytest.fixture
def hub(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Has a network by the name of ``dpt-large``, at a commit."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    for file in FILES:
        hub.add("user/net", (folder / file).read_bytes(), COMMIT, file)
    record = hub_weights(
        "user/net",
        COMMIT,
        name="dpt-large",
        sha256=hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        megabytes=1,
        license="",
        summary="",
        beside=("config.json", "preprocessor_config.json"),
    )
    monkeypatch.setitem(weights.PUBLISHED, "dpt-large", record)
    return hub


def cached(tmp_path: Path) -> list[str]:
    return [path.name for path in arrived(tmp_path / "cache")]


def test_a_network_of_the_hub(
    hub: Hub, midas: Midas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = testing.picture(64, 64)[None]
    params = MidasParams(model="dpt-large")
    depth = Midas(params).extract(image, ["depth"])["depth"]
    assert torch.equal(depth, midas.extract(image, ["depth"])["depth"])
    assert cached(tmp_path) == FILES
    assert {os.path.dirname(path) for _, path in hub.asked} == {f"/user/net/resolve/{COMMIT}"}
    asked = len(hub.asked)
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    Midas(params)  # out of the cache
    assert len(hub.asked) == asked


def test_what_was_pulled_beforehand_is_all_that_it_takes(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (record,) = MidasParams(model="dpt-large").pretrained()
    fetch(record)
    assert cached(tmp_path) == FILES
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    Midas(MidasParams(model="dpt-large"))


@pytest.mark.parametrize("answer", ["break", "lie", "404", "500"])
@pytest.mark.parametrize("there", [[], ["config.json", "preprocessor_config.json"]])
def test_a_download_that_fails_leaves_nothing(
    hub: Hub, tmp_path: Path, answer: str, there: list[str]
) -> None:
    for file in there:  # so that it is the weights that fail
        fetch_from_hub("user/net", file, COMMIT)
    hub.answer = answer
    with pytest.raises(WeightsError) as caught:
        Midas(MidasParams(model="dpt-large"))
    assert caught.value.exit_status == 3
    assert caught.value.where
    assert caught.value.hint
    assert cached(tmp_path) == there


def test_offline(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="INSTYLE_OFFLINE forbids") as caught:
        Midas(MidasParams(model="dpt-large"))
    assert caught.value.exit_status == 3
    assert "instyle models pull dpt-large" in str(caught.value.hint)
    assert hub.asked == []
    assert cached(tmp_path) == []
