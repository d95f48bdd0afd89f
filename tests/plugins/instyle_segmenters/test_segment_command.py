"""``instyle segment`` with these segmenters: what users see, and what is left when weights fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision.models import get_model

from instyle_core import Instance, Prompt, Segmentation, testing
from instyle_core.cli import main
from instyle_core.config.spec import Select
from instyle_core.images.picture import write_mask, write_picture
from instyle_core.objects.select import select_object
from instyle_segmenters import weights
from instyle_segmenters.params import (
    GrabCutParams,
    MaskParams,
    RegionParams,
    SnakeParams,
)
from instyle_segmenters.torchvision_model import Torchvision
from tests.core.helpers.weights_server import WeightsServer
from tests.plugins.instyle_segmenters.scenes import iou, scene

Run = Callable[..., tuple[int, str, str]]
BOX = (20, 12, 80, 68)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in a folder with photo.png: exit status, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    write_picture(tmp_path / "photo.png", scene()[0])

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(["segment", "photo.png", *arguments])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return int(caught.value.code or 0), printed.out, printed.err

    return command


def selected(found: tuple[int, str, str]) -> dict[str, Any]:
    status, out, err = found
    assert (status, err) == (0, "")
    (row,) = [row for row in json.loads(out)["objects"] if row["selected"]]
    return dict(row)


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
    run: Run, tmp_path: Path, use: str, pointing: tuple[str, str]
) -> None:
    write_mask(tmp_path / "mask.png", scene()[1][None].float())
    row = selected(run("--json", "--use", use, *pointing))
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


def test_nothing_to_start_from(run: Run) -> None:
    for use in ("snake", "region"):
        status, out, err = run("--use", use)
        assert (status, out) == (2, "")
        assert f"{use} has to be shown the object" in err
        assert "box: [x0, y0, x1, y1]" in err


# --- instances by number --------------------------------------------------------------------------


def test_the_numbers_of_mask_rcnn_are_those_that_a_spec_takes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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

    status, out, err = run("--json", *use)
    assert (status, err) == (0, "")
    rows = json.loads(out)["objects"]
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
            run("--json", *use, "--class", row["class"], "--instance", str(row["instance"]))
        )
        assert again == {**row, "selected": True}
        mask = select_object(
            seen, Select.model_validate({"class": row["class"], "instance": row["instance"]})
        )
        assert int(mask.decision.sum()) == area
    assert [row["confidence"] for row in rows if row["class"] == "cat"] == [0.6, 0.5, 0.7]
    status, _, err = run(*use, "--class", "cat", "--instance", "3")
    assert status == 2
    assert "no instance 3" in err
    status, _, err = run(*use, "--class", "kitten")
    assert status == 2


# --- weights that are not there -------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WeightsServer]:
    """What the published weights are downloaded from, and an empty cache."""
    server = WeightsServer()
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INSTYLE_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("instyle_core.weights.download._PAUSES_S", (0, 0))
    for model, record in weights.PUBLISHED.items():
        monkeypatch.setitem(weights.PUBLISHED, model, replace(record, url=server.url))
    yield server
    server.close()


def left(tmp_path: Path) -> list[str]:
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("model", ["lraspp_mobilenet_v3_large", "maskrcnn_resnet50_fpn_v2"])
def test_offline(
    run: Run, server: WeightsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Any
) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    status, out, err = run("--use", f"{{use: torchvision, model: {model}}}")
    assert (status, out) == (3, "")
    assert "INSTYLE_OFFLINE forbids" in err
    assert f"instyle models pull {weights.PUBLISHED[model].name}" in err
    assert server.requests == 0
    assert left(tmp_path) == ["photo.png"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [("break", "IncompleteRead"), ("lie", "SHA-256"), ("404", "answered 404"), ("500", "500")],
)
def test_a_download_that_fails_leaves_no_file(
    run: Run, server: WeightsServer, tmp_path: Path, answer: str, words: str
) -> None:
    server.answers = (answer,)
    status, out, err = run("--use", "{use: torchvision, model: lraspp_mobilenet_v3_large}")
    assert (status, out) == (3, "")
    assert words in err
    assert server.requests >= 1
    assert left(tmp_path) == ["photo.png"]


def test_a_download_that_works(run: Run, server: WeightsServer, tmp_path: Path) -> None:
    """Once; the second time the file is there."""
    model: Any = "lraspp_mobilenet_v3_large"
    network = get_model(model, weights=None, weights_backbone=None, num_classes=21)
    torch.save(network.state_dict(), tmp_path / "net.pth")
    server.body = (tmp_path / "net.pth").read_bytes()
    record = weights.PUBLISHED[model]
    digest = hashlib.sha256(server.body).hexdigest()[:8]
    weights.PUBLISHED[model] = replace(record, sha256=digest)
    for _ in range(2):
        status, out, _ = run("--use", f"{{use: torchvision, model: {model}, size: 32}}")
        assert status == 0
        assert out.splitlines()[-1] == "photo-segments.png"
    assert server.requests == 1
    assert (tmp_path / "cache" / record.file).read_bytes() == server.body


def test_a_model_of_the_hub_offline(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    status, out, err = run("--use", "{use: smp, pretrained: smp-hub/unet}")
    assert (status, out) == (3, "")
    assert "'smp-hub/unet' is not downloaded" in err
    assert "huggingface.co/smp-hub/unet" in err
    assert left(tmp_path) == ["photo.png"]


@pytest.mark.parametrize("use", ["torchvision", "smp"])
def test_a_file_of_weights_that_is_none(run: Run, tmp_path: Path, use: str) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "net.png")
    status, out, err = run("--use", f"{{use: {use}, weights: net.png}}")
    assert (status, out) == (3, "")
    assert str(tmp_path / "net.png") in err
    assert "damaged, or no file of weights" in err
