"""Runs over HTTP: the same bytes as by the command line; stopped in every state."""

from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from instyle_studio.painting import archive
from instyle_studio.photos import sent
from instyle_studio.session import Session
from tests.core.helpers.commands import Command
from tests.core.helpers.studio import BOX, HEIGHT, WIDTH, noise, rectangle
from tests.plugins.instyle_studio.conftest import Things
from tests.plugins.instyle_studio.serving import ENDLESS, Server


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def stream(server: Server, run: str, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """All events of a run, each with its ID, up to the end of the run."""
    headers = {"Last-Event-ID": str(after)} if after else {}
    found = []
    with server.client.stream("GET", f"/api/runs/{run}/events", headers=headers) as answer:
        if answer.status_code == 204:
            return []
        assert answer.headers["content-type"].startswith("text/event-stream")
        number = 0
        for line in answer.iter_lines():
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("data: "):
                found.append((number, json.loads(line[6:])))
    return found


@pytest.fixture(scope="module")
def finished(server: Server, things: Things) -> str:
    run = server.run(things.spec())
    server.wait(run, "finished")
    return run


def test_the_bundle_run_by_the_command_line_gives_the_same_bytes(
    server: Server, finished: str, instyle: Command, tmp_path: Path
) -> None:
    data = server.get(f"/api/runs/{finished}/bundle").content
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        names = bundle.namelist()
        bundle.extractall(tmp_path)
    assert sorted(names) == ["mask.png", "photo.png", "spec.yaml", "style.png"]
    assert (tmp_path / "photo.png").read_bytes() == server.get(
        f"/api/photos/{server.get(f'/api/runs/{finished}').json()['spec']['content'][6:]}/file"
    ).content
    assert server.get(f"/api/runs/{finished}/spec").content == (tmp_path / "spec.yaml").read_bytes()
    done = instyle("pipeline", "run", tmp_path / "spec.yaml")
    assert done.status == 0, done.err
    result = server.get(f"/api/runs/{finished}/result").content
    assert (tmp_path / "result.png").read_bytes() == result
    changed = (opened(result) != noise()).any(axis=2)
    np.testing.assert_array_equal(changed, rectangle(BOX) > 0)


def test_what_a_run_tells(server: Server, finished: str) -> None:
    events = stream(server, finished)
    kinds = [event["type"] for _, event in events]
    assert kinds[:2] == ["queued", "started"]
    assert kinds[-1] == "finished"
    stages = [event["stage"] for _, event in events if event["type"] == "stage"]
    assert stages == ["read", "load", "segment", "stylize", "merge", "write"]
    steps = [event for _, event in events if event["type"] == "step"]
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    for step in steps:
        assert step["total"] == pytest.approx(sum(step["losses"].values()))
        x0, y0, x1, y1 = step["box"]
        assert 0 <= x0 <= BOX[0] < BOX[2] <= x1 <= WIDTH
        assert 0 <= y0 <= BOX[1] < BOX[3] <= y1 <= HEIGHT
    assert "live" in kinds
    facts = server.get(f"/api/runs/{finished}").json()
    assert facts["seconds"] == events[-1][1]["seconds"]
    assert facts in server.get("/api/runs").json()


def test_events_go_on_from_where_a_client_was(server: Server, finished: str) -> None:
    events = stream(server, finished)
    for index in (0, 3, len(events) - 2):
        assert stream(server, finished, after=events[index][0]) == events[index + 1 :]
    assert stream(server, finished, after=events[-1][0]) == []
    for wrong in (1, events[2][0] + 1, 10**9, 10**14):  # no ID of an event
        assert stream(server, finished, after=wrong) == events


def test_what_a_run_leaves(server: Server, finished: str) -> None:
    run = f"/api/runs/{finished}"
    assert opened(server.get(f"{run}/live").content).shape == (HEIGHT, WIDTH, 3)
    shown = opened(server.get(f"{run}/result?shown=1").content)
    result = opened(server.get(f"{run}/result").content)
    assert shown.shape == result.shape
    np.testing.assert_array_equal(opened(server.get(f"{run}/mask").content), rectangle(BOX))
    for path in ("mask?object=1", "mask?object=-1", "mask?object=../..", "mask?object=1e9"):
        server.refusal(server.client.get(f"{run}/{path}"), 404, 409)
    spec = server.get(run).json()["spec"]["objects"][0]["segmenter"]["path"][5:]
    cutout = opened(server.get(f"/api/masks/{spec}/cutout?run={finished}").content)
    np.testing.assert_array_equal(cutout[..., :3], result)
    np.testing.assert_array_equal(cutout[..., 3], rectangle(BOX))


def test_the_report_shows_its_pictures_here_and_in_its_archive(
    server: Server, finished: str, tmp_path: Path
) -> None:
    import re

    address = f"/api/files/runs/{finished}/result.png.run/report.html"
    page = server.get(address)
    assert page.headers["content-type"].startswith("text/html")
    assert "unsafe" not in page.headers["content-security-policy"]
    links = re.findall(r'src="([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        assert server.get(str(page.url.join(link))).headers["content-type"] == "image/png"
    data = server.get(f"/api/runs/{finished}/report").content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert not any(name.startswith(("/", "..")) for name in archive.namelist())
        archive.extractall(tmp_path)
    (report,) = tmp_path.glob("*/report.html")
    links = re.findall(r'src="([^"]+)"', report.read_text("utf-8"))
    assert all((report.parent / link).is_file() for link in links)
    assert str(server.session) not in report.read_text("utf-8")


def test_a_preview_is_small(server: Server, things: Things) -> None:
    run = server.run(things.spec(steps=500, size=512), preview=True)
    facts = server.wait(run, "finished")
    assert facts["preview"]
    last = [event for event in server.told(run) if event["type"] == "step"][-1]
    assert last["steps"] == 60
    assert facts["spec"]["size"] == 512  # the page's own spec is as it was
    assert "size: 224" in server.get(f"/api/runs/{run}/spec").text


# --- stopping and going on ------------------------------------------------------------------------


def test_stopped_and_gone_on_with_gives_the_bytes_of_an_unbroken_run(
    server: Server, things: Things
) -> None:
    spec = things.spec(steps=300, losses=[{"use": "dice"}, {"use": "tint"}])
    whole = server.run(spec)
    server.wait(whole, "finished")
    run = server.run(spec)
    server.wait_for_step(run)
    server.ask("POST", f"/api/runs/{run}/stop", 202)
    facts = server.wait(run, "interrupted")
    assert facts["resumable"]
    assert facts["has_result"]
    before = len(stream(server, run))
    server.post(f"/api/runs/{run}/continue", {}, 202)
    assert server.wait(run, "finished")["has_result"]
    assert len(stream(server, run)) > before
    one, other = (server.get(f"/api/runs/{r}/result").content for r in (whole, run))
    assert one == other


def test_a_run_is_stopped_in_every_state(server: Server, things: Things) -> None:
    running = server.run(things.spec(**ENDLESS))
    queued = server.run(things.spec(**ENDLESS))
    later = server.run(things.spec())
    server.wait_for_step(running)
    assert [server.get(f"/api/runs/{r}").json()["place"] for r in (running, queued, later)] == [
        None,
        0,
        1,
    ]
    # Queued: it is gone at once, and the next one moves up.
    server.refusal(server.client.delete(f"/api/runs/{queued}"), 409)
    server.ask("POST", f"/api/runs/{queued}/stop", 204)
    server.refusal(server.client.get(f"/api/runs/{queued}"), 404)
    assert not (server.session / "runs" / queued).exists()
    assert server.get(f"/api/runs/{later}").json()["place"] == 0
    # Running: it stops soon; asking again changes nothing, even if it has stopped.
    server.refusal(server.client.post(f"/api/runs/{running}/continue", json={}), 409)
    server.refusal(server.client.delete(f"/api/runs/{running}"), 409)
    for _ in range(3):
        server.ask("POST", f"/api/runs/{running}/stop", 202)
    server.wait(later, "finished")
    # Interrupted or finished: only who asks for it takes it away.
    for run in (running, later):
        server.ask("POST", f"/api/runs/{run}/stop", 202)
        assert server.get(f"/api/runs/{run}").json()["has_result"]
        server.ask("DELETE", f"/api/runs/{run}", 204)
        server.refusal(server.client.delete(f"/api/runs/{run}"), 404)
        assert not (server.session / "runs" / run).exists()
    assert not any((server.session / "runs").glob(".*"))


def test_a_run_is_stopped_before_it_has_begun_to_paint(server: Server, things: Things) -> None:
    for _ in range(5):
        run = server.run(things.spec(**ENDLESS))
        server.client.post(f"/api/runs/{run}/stop")
        if server.client.get(f"/api/runs/{run}").status_code == 200:
            assert server.wait(run, "interrupted")["state"] == "interrupted"
            assert stream(server, run)[-1][1]["status"] == "interrupted"
            server.ask("DELETE", f"/api/runs/{run}", 204)
    run = server.run(things.spec())  # the painter is as it was
    server.wait(run, "finished")


def test_a_run_that_fails_says_why(server: Server, things: Things) -> None:
    losses = [{"use": "tint"}, {"use": "fault", "kind": "nan", "at": 3}]
    run = server.run(things.spec(losses=losses))
    facts = server.wait(run, "failed")
    assert "'fault'" in facts["error"]["what"]
    assert stream(server, run)[-1][1]["error"] == facts["error"]
    assert facts["has_result"]
    empty = things.spec(objects=[{"segmenter": "fcn8s", "select": {"class": "cat"}}])
    empty["style"] = f"style:{things.style}"
    run = server.run(empty)
    facts = server.wait(run, "failed")
    assert "no cat" in facts["error"]["what"]
    assert facts["error"]["where"] == "objects.0"
    for path in ("result", "report", "mask", "live", "result?shown=1"):
        server.refusal(server.client.get(f"/api/runs/{run}/{path}"), 409)
    server.ask("DELETE", f"/api/runs/{run}", 204)


def test_a_run_goes_on_from_the_result_of_another_with_other_values(
    server: Server, things: Things, finished: str, instyle: Command, tmp_path: Path
) -> None:
    spec = things.spec(losses=[{"use": "tint", "color": [0, 0, 1]}])
    more = server.post(f"/api/runs/{finished}/continue", {"spec": spec}, 202)["id"]
    facts = server.wait(more, "finished")
    assert facts["spec"]["start"] == f"run:{finished}"
    data = server.get(f"/api/runs/{more}/bundle").content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert "start.png" in archive.namelist()
        archive.extractall(tmp_path)
    start = (tmp_path / "start.png").read_bytes()
    assert start == server.get(f"/api/runs/{finished}/result").content
    assert instyle("pipeline", "run", tmp_path / "spec.yaml").status == 0
    result = server.get(f"/api/runs/{more}/result").content
    assert (tmp_path / "result.png").read_bytes() == result
    plain = server.run(spec)
    server.wait(plain, "finished")
    assert server.get(f"/api/runs/{plain}/result").content != result


def test_memory_does_not_depend_on_the_size_of_what_is_downloaded(tmp_path: Path) -> None:
    session = Session(tmp_path / "session")
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        for block in range(64):
            file.write(bytes([block]) * 2**20)
    got = tmp_path / "got.zip"

    async def download() -> None:
        made = archive(session, {"spec.yaml": b"version: 1", "photo.png": large})
        answer = sent(made, "application/zip", {})
        with got.open("wb") as file:
            async for part in answer.body_iterator:
                file.write(part)
        assert int(answer.headers["content-length"]) == got.stat().st_size
        assert made.closed

    tracemalloc.start()
    asyncio.run(download())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4e6
    assert [*(session.root / "scratch").iterdir()] == []
    with zipfile.ZipFile(got) as archived:
        assert archived.read("spec.yaml") == b"version: 1"
        assert archived.read("photo.png") == large.read_bytes()


# --- specs ----------------------------------------------------------------------------------------


def test_a_spec_that_was_downloaded_can_be_opened(
    server: Server, things: Things, finished: str
) -> None:
    text = server.get(f"/api/runs/{finished}/spec").text
    found = server.ask("POST", "/api/specs", 200, content=text).json()
    # The mask has not been uploaded by its name.
    assert [error["key"] for error in found["errors"]] == ["objects.0.segmenter.path"]
    headers = {"X-Name": "mask.png"}
    path = f"/api/masks?photo={things.photo}"
    from tests.plugins.instyle_studio.serving import png

    data = png(rectangle(BOX))
    mask = server.ask("POST", path, 201, content=data, headers=headers).json()["id"]
    found = server.ask("POST", "/api/specs", 200, content=text).json()
    assert found["errors"] == []
    spec = found["spec"]
    assert spec["content"].startswith("photo:")
    assert spec["objects"][0]["style"].startswith("style:")
    assert spec["objects"][0]["segmenter"]["path"] == f"mask:{mask}"
    assert found["yaml"] == text


@pytest.mark.parametrize(
    ("text", "key", "where"),
    [
        ("version: 1\ncontent: [\n", None, "spec.yaml:3"),
        ("version: 1\nsize: no\n", "size", "spec.yaml:2"),
        ("version: 1\nversion: 1\n", None, "spec.yaml:2"),
        ("just a text", None, "spec.yaml:1"),
        ("version: 1\ncontent: /etc/passwd\n", "content", "spec.yaml:2"),
        ("version: 1\ncontent: nowhere.png\n", "content", "spec.yaml:2"),
        ("version: 1\nobjects:\n- merger: {use: hrad}\n", "objects.0.merger.use", "spec.yaml:3"),
    ],
)
def test_a_spec_that_is_wrong_is_told_with_its_lines(
    server: Server, text: str, key: str | None, where: str
) -> None:
    answer = server.ask("POST", "/api/specs", 200, content=text)
    assert (key, where) in [(e["key"], e["where"]) for e in answer.json()["errors"]]
    assert str(server.session) not in answer.text


def test_a_spec_that_is_no_text(server: Server) -> None:
    server.refusal(server.client.post("/api/specs", content=b"\xff\xfe\x00"), 422)
