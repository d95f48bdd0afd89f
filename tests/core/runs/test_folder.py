"""What a run leaves behind: ``run.json``, ``losses.csv``, masks and crops."""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import time
from datetime import datetime
from importlib.metadata import version

import numpy as np
import pytest
import torch

from instyle_core.config.plan import load_plan
from instyle_core.events import Event, Step
from instyle_core.weights.fetch import locate
from tests.core.helpers.runs import record, rows, two_objects
from tests.core.helpers.studio import BOX, HEIGHT, WIDTH, Studio, noise, read, rectangle, save

# --- run.json -------------------------------------------------------------------------------------


def test_the_spec_is_resolved_with_every_default(studio: Studio) -> None:
    folder = studio.folder
    spec = folder / "spec.yaml"
    spec.write_text(
        "version: 1\n"
        "content: photo.png\n"
        "output: out.png\n"
        "style: style.png\n"
        "objects: [{}]\n"
        f"segmenter: {{use: stencil, path: {folder}/mask.png}}\n"
        "losses: [{use: tint}, {use: content, extractor: pixels, layers: [cells], weight: 2}]\n"
        "optimizer: {use: adam, steps: 2}\n"
        "size: 64\n"
    )
    from instyle_core import pipeline

    resolved = record(pipeline.run(load_plan(spec)))["spec"]
    # Files of the project are relative to the run's folder, so that it can be copied and moved.
    style = {"images": ["../style.png"], "scale": 1.0}
    assert resolved["version"] == 1
    assert resolved["content"] == "../photo.png"
    assert resolved["output"] == "../out.png"
    assert resolved["objects"] == [{"select": {"instance": "largest"}}]
    assert resolved["style"] == style
    assert resolved["segmenter"] == {
        "use": "stencil",
        "refine": "none",
        "path": "../mask.png",
        "name": "thing",
        "instances": False,
    }
    tint, content = resolved["losses"]
    assert tint == {"use": "tint", "weight": 1.0, "color": [1.0, 0.0, 0.0]}
    assert (content["use"], content["weight"], content["extractor"]) == ("content", 2.0, "pixels")
    assert content["reduction"] == "relative"
    assert resolved["extractors"] == {"pixels": {"use": "pixels"}}
    assert resolved["optimizer"] == {
        "use": "adam",
        "steps": 2,
        "scales": "auto",
        "parametrization": "pyramid",
        "tolerance": 0.0,
        "learning_rate": 0.01,
        "decay": 0.5,
        "weight_decay": 0.0,
        "space": "rgb",
    }
    assert resolved["merger"]["use"]  # the default preset's, whatever that is
    rest = {
        "size": 64,
        "margin": 0.04,
        "start": "content",
        "seed": 0,
        "device": "auto",
        "precision": "auto",
        "tile": "auto",
        "snapshots": 0,
        "max_megapixels": 100.0,
    }
    assert {key: resolved[key] for key in rest} == rest


def test_hashes_of_what_was_read(studio: Studio) -> None:
    save(studio.folder / "start.png", noise(seed=3))
    result = studio.run(start="start.png", seed=17)
    names = ("photo.png", "style.png", "mask.png", "start.png")
    expected = {
        f"../{name}": hashlib.sha256((studio.folder / name).read_bytes()).hexdigest()
        for name in names
    }
    assert record(result)["inputs"] == expected
    assert record(result)["spec"]["seed"] == 17


def test_hashes_are_of_the_files_as_they_were_read(studio: Studio) -> None:
    expected = hashlib.sha256((studio.folder / "photo.png").read_bytes()).hexdigest()

    def on_event(event: Event) -> None:
        if isinstance(event, Step) and event.step == 2:
            save(studio.folder / "photo.png", noise(seed=8))
            (studio.folder / "style.png").unlink()

    result = studio.run(on_event)
    assert result.status == "finished"
    assert record(result)["inputs"]["../photo.png"] == expected


def test_hashes_of_the_weights(studio: Studio) -> None:
    from instyle_vgg.weights import OXFORD

    path = locate(OXFORD)
    assert path is not None
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    result = studio.run(losses=[{"use": "content", "layers": ["relu1_1"]}])
    assert record(result)["weights"] == {OXFORD.name: expected}
    assert record(studio.run())["weights"] == {}


def test_versions_machine_and_status(studio: Studio) -> None:
    began = time.time()
    result = studio.run(precision="float32")
    run = record(result)
    assert run["instyle"] == version("instyle")
    assert set(run["plugins"].values()) == {f"instyle {version('instyle')}", "instyle-toy 1.0"}
    assert run["versions"]["python"] == platform.python_version()
    assert torch.__version__.startswith(run["versions"]["torch"])
    assert run["machine"]["device"] == "cpu"
    assert run["machine"]["precision"] == "float32"
    assert run["machine"]["threads"] == torch.get_num_threads()
    assert (run["status"], run["reason"]) == ("finished", "")
    started = datetime.strptime(run["started"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
    assert int(began) <= started <= time.time()


def test_timings(studio: Studio) -> None:
    result = two_objects(studio)
    seconds = record(result)["seconds"]
    assert {"total", "read", "load", "segment", "stylize", "merge"} <= set(seconds)
    assert all(value >= 0 for value in seconds.values())
    stages = sum(value for stage, value in seconds.items() if stage != "total")
    assert stages <= seconds["total"] + 0.01  # each is rounded
    assert seconds["total"] <= result.seconds + 0.01


def test_the_precision_that_was_chosen(studio: Studio) -> None:
    assert record(studio.run(precision="bfloat16"))["machine"]["precision"] == "bfloat16"


def test_facts_about_each_object(studio: Studio) -> None:
    photo = noise(300, 400)
    save(studio.folder / "photo.png", photo)
    mask = rectangle((100, 50, 300, 90), 300, 400)
    mask[60, 99] = 255
    save(studio.folder / "mask.png", mask)
    facts = record(studio.run(size=128, margin=0.25))["objects"]["object-0"]
    assert facts["pixels"] == 200 * 40 + 1
    assert facts["box"] == [99, 50, 300, 90]
    extra = round(0.25 * 201)
    # 301 and 140 pixels are grown to multiples of 16, on both sides where there is room.
    assert (201 + 2 * extra, 90 + extra) == (301, 140)
    assert facts["crop"] == [99 - extra - 1, 0, 300 + extra + 2, 90 + extra + 4]
    assert facts["worked_at"] == [round(144 * 128 / 304), 128]


def test_notes_are_kept(studio: Studio) -> None:
    save(studio.folder / "mask.png", np.maximum(rectangle((2, 2, 9, 9)), rectangle(BOX)))
    (note,) = record(studio.run())["notes"]
    assert note.startswith("2 ")


@pytest.mark.parametrize("kind", ["nan", "interrupt"])
def test_a_run_that_was_stopped_says_so(studio: Studio, kind: str) -> None:
    losses = [{"use": "tint"}, {"use": "fault", "kind": kind, "at": 3}]
    result = studio.run(losses=losses)
    run = record(result)
    assert run["status"] == result.status == {"nan": "diverged", "interrupt": "interrupted"}[kind]
    assert run["reason"] == result.reason
    assert [row["step"] for row in rows(result)] == ["1", "2"]
    assert (result.folder / "report.html").is_file()


# --- losses.csv -----------------------------------------------------------------------------------


def test_a_row_for_every_step(studio: Studio) -> None:
    events: list[Step] = []
    result = two_objects(
        studio,
        on_event=lambda event: events.append(event) if isinstance(event, Step) else None,
        optimizer={"use": "adam", "steps": 5, "scales": 2},
    )
    written = rows(result)
    assert [(row["object"], int(row["step"])) for row in written] == [
        (f"object-{number}", step) for number in (0, 1) for step in range(1, 6)
    ]
    terms = {"object-0": {"tint"}, "object-1": {"inks", "tint"}}
    for row, event in zip(written, events, strict=True):
        values = {
            name: float(value)
            for name, value in row.items()
            if value and name not in ("object", "step", "height", "width", "total")
        }
        assert set(values) == terms[row["object"]]
        assert values == pytest.approx(dict(event.losses))
        assert float(row["total"]) == pytest.approx(sum(values.values()))
        assert (int(row["height"]), int(row["width"])) == event.size
    last = {row["object"]: float(row["total"]) for row in written}
    for name, losses in record(result)["losses"].items():
        assert losses["total"] == pytest.approx(last[name])
        assert losses["step"] == 5
        assert terms[name] < set(losses)


def test_terms_are_weighted(studio: Studio) -> None:
    # A black photo is 1/3 away from red, as squares of each of three channels go.
    save(studio.folder / "photo.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    losses = [{"use": "tint", "weight": 6}, {"use": "tint", "weight": 0.6}]
    first = rows(studio.run(losses=losses))[0]
    assert float(first["tint"]) == pytest.approx(2, rel=1e-5)
    assert float(first["tint-2"]) == pytest.approx(0.2, rel=1e-5)
    assert float(first["total"]) == pytest.approx(2.2, rel=1e-5)


# --- pictures -------------------------------------------------------------------------------------


def test_masks_are_those_that_were_used(studio: Studio) -> None:
    gray = np.zeros((HEIGHT, WIDTH), np.uint8)
    gray[5:30, 5:30] = 100  # not the object's
    gray[10:20, 10:20] = 180
    gray[12, 12] = 255
    save(studio.folder / "mask.png", gray)
    result = studio.run()
    np.testing.assert_array_equal(read(result.folder / "object-0" / "mask.png"), gray)
    assert record(result)["objects"]["object-0"]["pixels"] == 100


def test_the_stylized_crop(studio: Studio) -> None:
    # White in a black photo, 128 pixels wide, so that nothing is resized.
    save(studio.folder / "photo.png", np.zeros((200, 200, 3), np.uint8))
    mask = rectangle((52, 42, 164, 154), 200, 200)
    save(studio.folder / "mask.png", mask)
    optimizer = {"use": "adam", "steps": 5, "scales": 1, "learning_rate": 1.0}
    losses = [{"use": "tint", "color": [1.0, 1.0, 1.0]}]
    result = studio.run(size=128, margin=0, optimizer=optimizer, losses=losses)
    assert record(result)["objects"]["object-0"]["crop"] == [44, 34, 172, 162]
    crop = read(result.folder / "object-0" / "stylized.png")
    expected = np.repeat(mask[34:162, 44:172, None], 3, axis=2)
    np.testing.assert_array_equal(crop, expected)


def test_snapshots(studio: Studio) -> None:
    pictures: dict[int, np.ndarray] = {}

    def on_event(event: Event) -> None:
        if isinstance(event, Step):
            pictures[event.step] = (event.picture() * 255).round().permute(1, 2, 0).numpy()

    optimizer = {"use": "adam", "steps": 7, "scales": 2}
    result = studio.run(on_event, snapshots=3, optimizer=optimizer)
    folder = result.folder / "object-0" / "snapshots"
    assert sorted(path.name for path in folder.iterdir()) == ["000003.png", "000006.png"]
    for step in (3, 6):
        np.testing.assert_array_equal(read(folder / f"{step:06}.png"), pictures[step])
    assert not (studio.run().folder / "object-0" / "snapshots").exists()


def test_the_folder_can_be_read_by_whom_the_umask_allows(studio: Studio) -> None:
    before = os.umask(0o027)
    try:
        result = studio.run()
    finally:
        os.umask(before)
    assert stat.S_IMODE(result.folder.stat().st_mode) == 0o750
    assert stat.S_IMODE((result.folder / "run.json").stat().st_mode) == 0o640
    assert stat.S_IMODE(result.output.stat().st_mode) == 0o640
