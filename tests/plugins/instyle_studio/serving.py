"""A studio that serves tests: in a process of its own, with the toy plugin, and small limits."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.core.helpers.studio import BOX, TOY, noise, rectangle, save

#: Works whether or not this checkout is installed.
_CODE = """
import sys
from instyle_core.cli import instyle, main
from instyle_studio import server
from instyle_studio.command import studio
from instyle_studio.session import Limits
server.Limits = lambda: Limits(upload_bytes=2_000_000, megapixels=4, seconds=1.0)
instyle.add_command(studio)
main(["studio", *sys.argv[1:]])
"""

#: Before that, where no network is needed: none is loaded until a request needs it.
_LOADS_NOTHING = """
from instyle_studio import process
process._MAIN = (
    "import sys\\n"
    "from instyle_studio import worker\\n"
    "if sys.argv[1] == 'looker':\\n"
    "    from instyle_studio.looker import Looker\\n"
    "    Looker.prepare = lambda self: None\\n"
    "worker.main()\\n"
)
"""

#: More steps than any test waits for.
ENDLESS = {"steps": 20000}


def launch(*arguments: str | Path, loads: bool = False) -> subprocess.Popen[str]:
    """Start ``instyle studio``; networks are loaded at once only if `loads`."""
    code = _CODE if loads else _LOADS_NOTHING + _CODE
    path = os.pathsep.join([str(TOY), *(entry for entry in sys.path if entry)])
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass
class Server:
    """A server, and a client that has its token.

    Attributes:
        process: of the server.
        session: its folder.
        address: such as ``http://127.0.0.1:4711``.
        token: the secret.
        client: sends it.
    """

    process: subprocess.Popen[str]
    session: Path
    address: str
    token: str
    client: httpx.Client

    @classmethod
    @contextmanager
    def start(cls, session: Path, *arguments: str | Path, loads: bool = False) -> Iterator[Server]:
        """Start one, as `launch` does; it is killed at the end, if it is still there."""
        options = ["--session", session, "--port", "0", "--no-browser"]
        process = launch(*options, *arguments, loads=loads)
        assert process.stdout
        address, _, token = process.stdout.readline().strip().partition("/?token=")
        if not token:
            process.wait()
            assert process.stderr
            raise AssertionError(process.stderr.read())
        headers = {"X-Instyle-Token": token}
        # It gives up an idle connection before the server does, which would look like a failure.
        limits = httpx.Limits(keepalive_expiry=1)
        with httpx.Client(base_url=address, headers=headers, timeout=120, limits=limits) as client:
            yield cls(process, session, address, token, client)
        if process.poll() is None:
            process.kill()
        process.communicate()

    @property
    def pids(self) -> list[int]:
        """The processes of the server and of its workers."""
        first = self.process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def end(self, number: int = signal.SIGTERM) -> tuple[str, str]:
        """End it with a signal; returns what it has printed."""
        self.process.send_signal(number)
        return self.process.communicate(timeout=60)

    @contextmanager
    def emptied(self) -> Iterator[None]:
        """Take away all runs; and all uploads and masks, which are back when the block ends."""
        aside = self.session.with_name(f"{self.session.name}-aside")
        aside.mkdir(exist_ok=True)
        kinds = ("photos", "styles", "masks")
        self.remove_runs()
        for kind in kinds:
            (self.session / kind).rename(aside / kind)
            (self.session / kind).mkdir()
        yield
        self.remove_runs()
        for kind in kinds:
            shutil.rmtree(self.session / kind)
            (aside / kind).rename(self.session / kind)

    def remove_runs(self) -> None:
        for run in self.get("/api/runs").json():
            if self.client.post(f"/api/runs/{run['id']}/stop").status_code == 202:
                while self.client.delete(f"/api/runs/{run['id']}").status_code == 409:
                    time.sleep(0.05)  # it stops

    # --- asking -----------------------------------------------------------------------------------

    def get(self, path: str, status: int = 200, **more: Any) -> httpx.Response:
        return self.ask("GET", path, status, **more)

    def post(self, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
        return self.ask("POST", path, status, json=body, **more).json()

    def ask(self, method: str, path: str, status: int, **more: Any) -> httpx.Response:
        answer = self.client.request(method, path, **more)
        assert answer.status_code == status, answer.text
        return answer

    def upload(self, kind: str, data: bytes, name: str = "a.png") -> dict[str, Any]:
        headers = {"X-Name": name}
        return self.ask("POST", f"/api/{kind}", 201, content=data, headers=headers).json()

    def refusal(self, answer: httpx.Response, *statuses: int) -> dict[str, Any]:
        """The error of an answer; it is told for people, and says nothing of the inside."""
        assert answer.status_code in statuses, (answer.status_code, answer.text)
        assert answer.headers["content-type"] == "application/json"
        error = answer.json()["error"]
        assert {"what", "where", "hint"} <= {*error}
        assert error["what"]
        for word in ("Traceback", 'File "', ".py"):
            assert word not in answer.text
        return error

    # --- runs -------------------------------------------------------------------------------------

    def mask_of(self, photo: str) -> str:
        """The ID of a mask, a rectangle."""
        path = f"/api/masks?photo={photo}"
        data = png(rectangle(BOX))
        return self.ask("POST", path, 201, content=data).json()["id"]

    def run(self, spec: dict[str, Any], **more: Any) -> str:
        """The ID of a new run."""
        return self.post("/api/runs", {"spec": spec, **more}, 202)["id"]

    def state(self, run: str) -> str:
        return self.get(f"/api/runs/{run}").json()["state"]

    def wait(self, run: str, *states: str) -> dict[str, Any]:
        """Wait until a run is in one of some states."""
        for _ in range(1200):
            found = self.get(f"/api/runs/{run}").json()
            if found["state"] in states:
                return found
            time.sleep(0.05)
        raise AssertionError(f"the run is {found['state']}, not {' or '.join(states)}: {found}")

    def wait_for_step(self, run: str, step: int = 3) -> None:
        """Wait until a run has taken some steps."""
        for _ in range(1200):
            if any(e["type"] == "step" and e["step"] >= step for e in self.told(run)):
                return
            time.sleep(0.05)
        raise AssertionError(self.told(run))

    def told(self, run: str) -> list[dict[str, Any]]:
        """The events of a run so far, as they lie in its folder."""
        path = self.session / "runs" / run / "events.jsonl"
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith(b"\n")]


def spec_of(photo: str, style: str, mask: str, **changes: Any) -> dict[str, Any]:
    """A spec that the toy plugin carries out in no time; changes of steps are the optimizer's."""
    optimizer = {"use": "adam", "parametrization": "pixels", "steps": 4, "scales": 1}
    optimizer |= {"learning_rate": 0.1, "steps": changes.pop("steps", 4)}
    return {
        "version": 1,
        "content": f"photo:{photo}",
        "objects": [
            {"segmenter": {"use": "mask", "path": f"mask:{mask}"}, "style": f"style:{style}"}
        ],
        "losses": [{"use": "tint"}, {"use": "inks"}],
        "merger": {"use": "hard"},
        "optimizer": optimizer,
        "size": 64,
        "device": "cpu",
        **changes,
    }


def png(samples: np.ndarray) -> bytes:
    """The bytes of a PNG."""
    import cv2

    order: Sequence[int] = [2, 1, 0] if samples.ndim == 3 else [0]
    planes = samples[..., None] if samples.ndim == 2 else samples
    done, data = cv2.imencode(".png", np.ascontiguousarray(planes[..., order]))
    assert done
    return data.tobytes()


def style_folder(folder: Path) -> Path:
    """A folder with two style pictures, something else, and a link that leads out of it."""
    folder.mkdir()
    save(folder / "red.png", np.full((20, 30, 3), (250, 10, 20), np.uint8))
    save(folder / "noise.png", noise(24, 24, seed=5))
    (folder / "notes.txt").write_text("no picture")
    outside = folder.with_name("outside.png")
    save(outside, noise(seed=6))
    (folder / "link.png").symlink_to(outside)
    return folder
