"""The server as a process: started, killed, started again, and ended so that nothing is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from instyle_core import InputError
from instyle_studio.server import PORT, listening
from tests.core.helpers.studio import noise, read, save
from tests.plugins.instyle_studio.conftest import things_on
from tests.plugins.instyle_studio.serving import ENDLESS, Server, launch, png


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def arguments(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def wait_until_gone(pids: list[int]) -> None:
    for _ in range(600):
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return
        time.sleep(0.05)
    raise AssertionError("a worker is still there")


def test_a_killed_server_finds_its_session_again(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    photo = save(tmp_path / "cat.png", noise())
    with Server.start(folder, photo) as server:
        found = server.get("/api/session").json()
        assert found["photos"][0]["name"] == "cat.png"
        assert found["photo"] == found["photos"][0]["id"]
        things = things_on(server)
        losses = [{"use": "dice"}, {"use": "tint"}]
        whole = server.run(things.spec(steps=150, losses=losses))
        server.wait(whole, "finished")
        running = server.run(things.spec(**ENDLESS))
        queued = server.run(things.spec(steps=150, losses=losses))
        server.wait_for_step(running)
        # Nobody else works on the session meanwhile.
        other = launch("--session", folder, "--no-browser", "--port", "0")
        out, err = other.communicate(timeout=60)
        assert (out, other.returncode) == ("", 1)
        assert "another studio" in err
        workers = children(server.process.pid)
        assert len(workers) == 2
        before = server.get("/api/session").json()
        server.end(signal.SIGKILL)
        wait_until_gone(workers)

    with Server.start(folder, photo) as server:
        after = server.get("/api/session").json()
        for key in ("photo", "photos", "styles", "masks"):
            assert after[key] == before[key]
        states = {run["id"]: run["state"] for run in after["runs"]}
        assert states == {whole: "finished", running: "interrupted", queued: "interrupted"}
        assert server.get(f"/api/photos/{things.photo}/file").content == png(noise())
        server.post(f"/api/runs/{queued}/continue", {}, 202)
        server.wait(queued, "finished")
        results = [server.get(f"/api/runs/{run}/result").content for run in (whole, queued)]
        assert results[0] == results[1]
        server.ask("DELETE", f"/api/runs/{running}", 204)
        # A run gets the time to save what it has when the server is asked to end.
        last = server.run(things.spec(**ENDLESS))
        server.wait_for_step(last)
        workers = children(server.process.pid)
        server.end(signal.SIGTERM)
        assert server.process.returncode == 0
        wait_until_gone(workers)
    assert read(folder / "runs" / last / "result.png").shape == noise().shape
    assert not any(path.name.startswith(".") for path in folder.rglob("*"))


def send(
    server: Server, line: str, body: bytes = b"", *, lacks: int = 0, times: int = 1
) -> socket.socket:
    """Send a request, of which some bytes are held back, or several on one connection."""
    host = f"127.0.0.1:{server.port}"
    head = f"{line} HTTP/1.1\r\nHost: {host}\r\nX-Instyle-Token: {server.token}\r\n"
    head += f"Content-Length: {len(body) + lacks}\r\n\r\n"
    client = socket.create_connection(("127.0.0.1", server.port), 60)
    client.sendall(times * (head.encode() + body))
    return client


def all_of(client: socket.socket) -> bytes:
    """What still comes until the connection ends, however it does."""
    parts = []
    try:
        while part := client.recv(2**16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def test_requests_of_every_kind_end_with_the_server(tmp_path: Path) -> None:
    with Server.start(tmp_path / "session") as server:
        things = things_on(server)
        large = server.upload("photos", png(noise(700, 700)))["id"]
        run = server.run(things.spec(**ENDLESS))
        server.wait_for_step(run)
        looker = next(pid for pid in server.pids if b"looker" in arguments(pid))
        os.kill(looker, signal.SIGSTOP)
        ranking = send(server, "POST /api/rank", json.dumps({"photo": things.photo}).encode())
        click = {"photo": things.photo, "select": {"points": [[5, 5]]}}
        waiting = [ranking, send(server, "POST /api/segment", json.dumps(click).encode())]
        events = send(server, f"GET /api/runs/{run}/events")
        unread = send(server, f"GET /api/photos/{large}/file", times=20)
        half = [
            send(server, "POST /api/photos", png(noise())[:100], lacks=1000),
            send(server, "POST /api/rank", b'{"photo": ', lacks=100),
        ]
        server.get("/api/session")  # all of these have come
        out, err = server.end()
        assert (server.process.returncode, out, err) == (0, "", "")
        for client in waiting:
            answer = all_of(client)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"the studio is being closed" in answer
        assert all_of(events).endswith(b"\r\n0\r\n\r\n")  # ends as it should
        assert len(all_of(unread)) < 20 * 700 * 700 * 3  # more than is taken before it is read
        for client in half:
            all_of(client)
    assert read(tmp_path / "session" / "runs" / run / "result.png").shape == noise().shape


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_temporary_session_is_gone_when_the_server_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = launch(save(tmp_path / "cat.png", noise()), "--no-browser", "--port", "0")
    assert process.stdout
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    for _ in range(200):
        if len(workers := children(process.pid)) == 2:
            break
        time.sleep(0.05)
    assert len(list(tmp_path.glob("instyle-studio-*/photos/*"))) == 1
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]
    wait_until_gone(workers)


def test_on_a_network_it_warns(tmp_path: Path) -> None:
    options = ["--host", "0.0.0.0", "--session", tmp_path / "s", "--api-only", "--port", "0"]
    process = launch(*options)
    assert process.stdout
    address = process.stdout.readline()
    assert socket.gethostname() in address
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert err.startswith("warning: ")
    assert "0.0.0.0" in err


@pytest.mark.parametrize(
    ("arguments", "where", "what"),
    [
        (["nowhere.jpg"], "nowhere.jpg", "no such file"),
        (["notes.txt"], "notes.txt", "not a picture"),
        (["--styles", "nowhere"], "nowhere", "no such folder"),
        (["--styles", "empty"], "empty", "the folder is empty"),
        (["--session", "notes.txt"], "notes.txt", "cannot be used"),
        (["--host", "no.such.host.invalid"], "--host", "no address"),
        (["--port", "TAKEN"], "--port", "cannot be used"),
    ],
)
def test_what_is_wrong_is_told_before_it_serves(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    where: str,
    what: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "empty").mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        given = [port if argument == "TAKEN" else argument for argument in arguments]
        out, err = (process := launch(*given, "--no-browser")).communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert where in err
    assert what in err
    assert "Traceback" not in err


def test_the_usual_port_is_left_to_whoever_has_it() -> None:
    with listening("127.0.0.1", None) as first, listening("127.0.0.1", None) as second:
        ports = [listener.getsockname()[1] for listener in (first, second)]
        assert ports[0] != ports[1]
        assert PORT not in ports[1:]
        with pytest.raises(InputError, match="cannot be used"), listening("127.0.0.1", ports[0]):
            pass
