"""Networks from a folder and from the hub: what is loaded, and every way in which that can fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig
from transformers.utils import logging

from instyle_core import Prompt, WeightsError, fetch, testing
from instyle_core.weights.hub import hub_weights
from instyle_sam import weights
from instyle_sam.loading import finite, folder_of, working
from instyle_sam.params import SamParams
from instyle_sam.sam import Sam
from tests.core.helpers.hub import COMMIT, Hub
from tests.core.helpers.weights_server import arrived

FILES = ["config.json", "model.safetensors", "preprocessor_config.json"]


def unusable(folder: Path) -> WeightsError:
    """The error of a folder that has all the files."""
    with pytest.raises(WeightsError) as caught:
        Sam(SamParams(pretrained=str(folder)))
    error = caught.value
    assert error.exit_status == 3
    assert str(error.where).startswith(str(folder))
    assert error.hint
    assert "\n" not in error.what
    return error


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_loading_is_silent_and_draws_no_random_numbers(
    nets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    state = torch.get_rng_state()
    Sam(SamParams(pretrained=str(nets / "sam2_video")))
    assert torch.equal(torch.get_rng_state(), state)
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def cut(copy: Path) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def evil(copy: Path) -> None:
    """Code that came with a network, and leaves a trace when it is run."""
    trace = copy / "trace"
    (copy / "evil.py").write_text(f"open({str(trace)!r}, 'w')\n")
    auto = {"AutoConfig": "evil.Config", "AutoModelForMaskGeneration": "evil.Model"}
    edit(copy / "config.json", model_type="evil", auto_map=auto)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, "cannot load the network"),
        (lambda copy: (copy / "model.safetensors").write_bytes(b""), "cannot load the network"),
        (lambda copy: (copy / "config.json").write_text("{"), "cannot load the network"),
        (lambda copy: (copy / "config.json").write_text("[]"), "cannot load the network"),
        (lambda copy: (copy / "preprocessor_config.json").write_text("{"), "cannot load"),
        (lambda copy: edit(copy / "config.json", model_type="none"), "cannot load the network"),
        (evil, "cannot load the network"),
        (
            lambda copy: BertConfig().save_pretrained(copy),
            "of the type 'bert', which does not segment by points and boxes",
        ),
    ],
)
def test_unusable_folders(copies: Path, change: Callable[[Path], Any], message: str) -> None:
    change(copies / "sam")
    assert message in unusable(copies / "sam").what
    assert not (copies / "sam" / "trace").exists()


@pytest.mark.parametrize("kind", ["sam", "sam2", "sam2_video"])
def test_tensors_that_are_missing_or_of_another_shape(copies: Path, kind: str) -> None:
    path = copies / kind / "model.safetensors"
    whole = load_file(path)
    name = "mask_decoder.iou_token.weight"
    state = {other: tensor for other, tensor in whole.items() if other != name}
    save_file(state, path, metadata={"format": "pt"})
    assert f"the tensor '{name}' is absent" in unusable(copies / kind).what
    state[name] = whole[name][:, :-1].contiguous()
    save_file(state, path, metadata={"format": "pt"})
    assert f"the tensor '{name}' is [1, 15] in the file and [1, 16]" in unusable(copies / kind).what


def test_numbers_that_are_not_finite(copies: Path) -> None:
    path = copies / "sam" / "model.safetensors"
    state = load_file(path)
    state["vision_encoder.pos_embed"][0, 0, 0, 0] = float("nan")
    save_file(state, path, metadata={"format": "pt"})
    segmenter = Sam(SamParams(pretrained=str(copies / "sam")))
    with pytest.raises(WeightsError, match="values that are not finite") as caught:
        segmenter.segment(testing.picture(32, 32), Prompt(points=((3, 4),)))
    assert caught.value.where == str(copies / "sam")


def test_settings_that_the_network_fails_at(copies: Path) -> None:
    edit(copies / "sam2" / "preprocessor_config.json", size={"height": 48, "width": 64})
    segmenter = Sam(SamParams(pretrained=str(copies / "sam2")))
    with pytest.raises(WeightsError, match="the network fails at a picture") as caught:
        segmenter.segment(testing.picture(32, 32), Prompt(points=((3, 4),)))
    assert "save_pretrained" in str(caught.value.hint)


def test_a_failure_for_want_of_memory_is_none_of_the_files(tmp_path: Path) -> None:
    with pytest.raises(torch.OutOfMemoryError), working(tmp_path):
        raise torch.OutOfMemoryError("none is left")
    with pytest.raises(RuntimeError, match="can't allocate memory"), working(tmp_path):
        torch.empty(2**60, dtype=torch.uint8)
    assert finite(torch.ones(2), tmp_path).sum() == 2


# --- networks of the hub --------------------------------------------------------------------------


@pytest.fixture
def hub(hub: Hub, nets: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Has a network by the name of ``user/net``, and ``sam-vit-base`` at a commit."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    for file in FILES:
        body = (nets / "sam" / file).read_bytes()
        hub.add("user/net", body, file=file)
        hub.add("user/pinned", body, COMMIT, file)
    record = hub_weights(
        "user/pinned",
        COMMIT,
        name="sam-vit-base",
        sha256=hashlib.sha256((nets / "sam" / "model.safetensors").read_bytes()).hexdigest(),
        megabytes=0.1,
        summary="a small one",
        beside=("config.json", "preprocessor_config.json"),
    )
    monkeypatch.setitem(weights.SAMS, "sam-vit-base", record)
    return hub


@pytest.mark.parametrize("settings", [{"pretrained": "user/net"}, {"model": "sam-vit-base"}])
def test_a_network_of_the_hub(
    hub: Hub, nets: Path, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, prompt = testing.picture(40, 48), Prompt(points=((20, 10),))
    seen = Sam(SamParams(**settings)).segment(image, prompt)
    same = Sam(SamParams(pretrained=str(nets / "sam"))).segment(image, prompt)
    assert torch.equal(seen.probabilities, same.probabilities)
    assert sorted(path.name for path in arrived(tmp_path / "cache" / "hub")) == FILES
    asked = len(hub.asked)
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    Sam(SamParams(**settings))  # out of the cache
    assert len(hub.asked) == asked


@pytest.mark.parametrize("answer", ["break", "lie", "404", "500"])
@pytest.mark.parametrize("settings", [{"pretrained": "user/net"}, {"model": "sam-vit-base"}])
def test_a_download_that_fails(hub: Hub, tmp_path: Path, answer: str, settings: Any) -> None:
    hub.answer = answer
    with pytest.raises(WeightsError) as caught:
        Sam(SamParams(**settings))
    assert caught.value.exit_status == 3
    assert caught.value.hint
    assert arrived(tmp_path / "cache") == []


def test_a_file_other_than_the_published_one(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    record = replace(weights.SAMS["sam-vit-base"], sha256=64 * "0")
    monkeypatch.setitem(weights.SAMS, "sam-vit-base", record)
    with pytest.raises(WeightsError, match="not the file 'sam-vit-base' that was published"):
        folder_of(record, None)


def test_a_repository_without_such_a_network(hub: Hub) -> None:
    with pytest.raises(WeightsError, match="could not be asked for 'user/nest'"):
        folder_of(None, "user/nest")
    hub.add("user/half", b"{}", file="config.json")
    with pytest.raises(WeightsError, match="could not be asked for 'user/half'") as caught:
        folder_of(None, "user/half")
    assert "preprocessor_config.json" in str(caught.value.where)


def test_offline(tmp_path: Path) -> None:
    for name in ("sam2.1-hiera-tiny", "sam2.1-hiera-small"):
        with pytest.raises(WeightsError, match="INSTYLE_OFFLINE forbids") as caught:
            fetch(weights.SAMS[name])
        assert f"run `instyle models pull {name}`" in str(caught.value.hint)
        assert f"downloads {weights.SAMS[name].megabytes:g} MB" in str(caught.value.hint)
    with pytest.raises(WeightsError, match="INSTYLE_OFFLINE forbids"):
        folder_of(None, "user/net")
    assert not (tmp_path / "cache").exists()
