"""The package as a whole: its records, and ``instyle segment`` with them, as users see it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision.models import get_model

import instyle_segmenters
from instyle_core import Instance, Prompt, Segmentation, testing
from instyle_core.config.select import Select
from instyle_core.images.masks import write_mask
from instyle_core.images.picture import write_picture
from instyle_core.objects.select import select_object
from instyle_segmenters import weights
from instyle_segmenters.params import (
    GrabCutParams,
    MaskParams,
    RegionParams,
    SnakeParams,
)
from instyle_segmenters.torchvision_model import Torchvision
from tests.core.helpers.commands import Command, Done
from tests.core.helpers.weights_server import WeightsServer, arrived
from tests.plugins.instyle_segmenters.scenes import iou, scene

BOX = (20, 12, 80, 68)


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instyle: Command) -> Command:
    """Run ``instyle segment photo.png`` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "photo.png", scene()[0])

    def command(*arguments: str) -> Done:
        done = instyle("segment", "photo.png", *arguments)
        assert "Traceback" not in done.err
        return done

    return command


def objects(done: Done) -> list[dict[str, Any]]:
    """The objects of the document that was printed."""
    assert (done.status, done.err) == (0, "")
    return [dict(row) for row in json.loads(done.out)["objects"]]


def selected(done: Done) -> dict[str, Any]:
    (row,) = [row for row in objects(done) if row["selected"]]
    return row


def test_all_segmenters_are_announced() -> None:
    registry = testing.registry(instyle_segmenters)
    names = [entry.plugin.name for entry in registry.entries("segmenter")]
    assert names == ["grabcut", "mask", "region", "smp", "snake", "torchvision"]
    assert not registry.failures


# --- by point and by box --------------------------------------------------------------------------


@pytest.mark.parametrize("pointing", [("--point", "50,40"), ("--box", "20,12,80,68")])
@pytest.mark.parametrize(
    "use",
    [
        "grabcut",
        "snake",
        "{use: snake, method: geodesic}",
        "region",
        "{use: region, method: growing}",
        "{use: mask, path: mask.png}",
    ],
)
def test_an_object_is_found_by_point_and_by_box(
    segment: Command, tmp_path: Path, use: str, pointing: tuple[str, str]
) -> None:
    write_mask(tmp_path / "mask.png", scene()[1][None].float())
    row = selected(segment("--json", "--use", use, *pointing))
    assert row["class"] == "object"
    assert row["area"] == pytest.approx(float(scene()[1].float().mean()), rel=0.03)
    assert all(abs(a - b) <= 2 for a, b in zip(row["box"], (26, 16, 74, 64), strict=True))


@pytest.mark.parametrize(
    ("factory", "params"),
    [
        ("grabcut:GrabCut", GrabCutParams()),
        ("snake:Snake", SnakeParams()),
        ("region:Region", RegionParams()),
        ("mask:MaskSegmenter", None),
    ],
)
def test_a_spec_selects_by_point_and_by_box(factory: str, params: Any, tmp_path: Path) -> None:
    image, truth = scene()
    if params is None:
        write_mask(tmp_path / "mask.png", truth[None].float())
        params = MaskParams(path=tmp_path / "mask.png")
    module, _, name = factory.partition(":")
    segmenter = getattr(__import__(f"instyle_segmenters.{module}", fromlist=[name]), name)(params)
    for keys in ({"point": [50, 40]}, {"box": list(BOX)}, {"point": [45, 38], "box": list(BOX)}):
        select = Select.model_validate({**keys, "class": "object"})
        seen = testing.check_segmenter(segmenter, image, Prompt("object", select.point, select.box))
        assert iou(select_object(seen, select).decision[0] > 0, truth) > 0.95


def test_nothing_to_start_from(segment: Command) -> None:
    for use in ("snake", "region"):
        done = segment("--use", use)
        assert (done.status, done.out) == (2, "")
        assert f"'{use}' needs to be told where the object is" in done.err
        assert "box: [x0, y0, x1, y1]" in done.err


# --- instances by number --------------------------------------------------------------------------


def test_the_numbers_of_mask_rcnn_are_those_that_a_spec_takes(
    segment: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = {
        "cat": [(2, 2, 22, 22), (40, 10, 80, 60), (5, 60, 15, 70)],
        "dog": [(70, 2, 98, 40), (0, 75, 100, 80)],
    }
    instances = []
    for name, places in boxes.items():
        for x0, y0, x1, y1 in places:
            mask = torch.zeros(1, 80, 100)
            mask[:, y0:y1, x0:x1] = 0.9
            instances.append(Instance(name, mask, 0.5 + len(instances) / 10))
    seen = Segmentation(
        ("background", "cat", "dog"), torch.full((3, 80, 100), 1 / 3), tuple(instances)
    )
    monkeypatch.setattr(Torchvision, "__init__", lambda *_: None)
    monkeypatch.setattr(Torchvision, "segment", lambda *_: seen)
    record = weights.PUBLISHED["maskrcnn_resnet50_fpn"]
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path))
    (tmp_path / record.file).write_bytes(b"")
    use = ("--use", "{use: torchvision, model: maskrcnn_resnet50_fpn, refine: none}")

    done = segment("--json", *use)
    rows = objects(done)
    assert not any(row["selected"] for row in rows)
    areas = {
        name: sorted(((x1 - x0) * (y1 - y0), (x0, y0, x1, y1)) for x0, y0, x1, y1 in places)
        for name, places in boxes.items()
    }
    for row in rows:
        area, box = areas[row["class"]][-1 - row["instance"]]
        assert row["area"] == pytest.approx(area / 8000, abs=1e-4)
        assert tuple(row["box"]) == box
        again = selected(
            segment("--json", *use, "--class", row["class"], "--instance", str(row["instance"]))
        )
        assert again == {**row, "selected": True}
        mask = select_object(
            seen, Select.model_validate({"class": row["class"], "instance": row["instance"]})
        )
        assert int(mask.decision.sum()) == area
    assert [row["confidence"] for row in rows if row["class"] == "cat"] == [0.6, 0.5, 0.7]
    done = segment(*use, "--class", "cat", "--instance", "3")
    assert done.status == 2
    assert "no instance 3" in done.err
    done = segment(*use, "--class", "kitten")
    assert done.status == 2


# --- weights that are not there -------------------------------------------------------------------


@pytest.fixture
def server(server: WeightsServer, monkeypatch: pytest.MonkeyPatch) -> WeightsServer:
    """What the published weights are downloaded from."""
    for model, record in weights.PUBLISHED.items():
        monkeypatch.setitem(weights.PUBLISHED, model, replace(record, url=server.url))
    return server


def left(tmp_path: Path) -> list[str]:
    return [str(path.relative_to(tmp_path)) for path in arrived(tmp_path)]


@pytest.mark.parametrize("model", ["lraspp_mobilenet_v3_large", "maskrcnn_resnet50_fpn_v2"])
def test_offline(
    segment: Command,
    server: WeightsServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: Any,
) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    done = segment("--use", f"{{use: torchvision, model: {model}}}")
    assert (done.status, done.out) == (3, "")
    assert "INSTYLE_OFFLINE forbids" in done.err
    assert f"instyle models pull {weights.PUBLISHED[model].name}" in done.err
    assert server.requests == 0
    assert left(tmp_path) == ["photo.png"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [("break", "IncompleteRead"), ("lie", "SHA-256"), ("404", "answered 404"), ("500", "500")],
)
def test_a_download_that_fails_leaves_no_file(
    segment: Command, server: WeightsServer, tmp_path: Path, answer: str, words: str
) -> None:
    server.answers = (answer,)
    done = segment("--use", "{use: torchvision, model: lraspp_mobilenet_v3_large}")
    assert (done.status, done.out) == (3, "")
    assert words in done.err
    assert server.requests >= 1
    assert left(tmp_path) == ["photo.png"]


def test_a_download_that_works(segment: Command, server: WeightsServer, tmp_path: Path) -> None:
    """Once; the second time the file is there."""
    model: Any = "lraspp_mobilenet_v3_large"
    network = get_model(model, weights=None, weights_backbone=None, num_classes=21)
    torch.save(network.state_dict(), tmp_path / "net.pth")
    server.body = (tmp_path / "net.pth").read_bytes()
    record = weights.PUBLISHED[model]
    digest = hashlib.sha256(server.body).hexdigest()[:8]
    weights.PUBLISHED[model] = replace(record, sha256=digest)
    for _ in range(2):
        done = segment("--use", f"{{use: torchvision, model: {model}, size: 32}}")
        assert done.status == 0
        assert done.out.splitlines()[-1] == "photo-segments.png"
    assert server.requests == 1
    assert (tmp_path / "cache" / record.file).read_bytes() == server.body


def test_a_model_of_the_hub_offline(
    segment: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    done = segment("--use", "{use: smp, pretrained: smp-hub/unet}")
    assert (done.status, done.out) == (3, "")
    assert "'smp-hub/unet' is not downloaded" in done.err
    assert "huggingface.co/smp-hub/unet" in done.err
    assert left(tmp_path) == ["photo.png"]


@pytest.mark.parametrize("use", ["torchvision", "smp"])
def test_a_file_of_weights_that_is_none(segment: Command, tmp_path: Path, use: str) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "net.png")
    done = segment("--use", f"{{use: {use}, weights: net.png}}")
    assert (done.status, done.out) == (3, "")
    assert str(tmp_path / "net.png") in done.err
    assert "damaged, or no file of weights" in done.err
