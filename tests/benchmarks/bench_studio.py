"""The memory of a studio over many requests, and the time of a click.

    python -m tests.benchmarks.bench_studio PHOTO STYLE [--requests 200]

Uploads, clicks and small runs in turn, as of somebody who tries many photos. The memory is the
proportional set size of the server and of both workers, all together. It prints a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.plugins.instyle_studio.serving import Server

#: After so many requests, everything that stays is loaded.
WARM = 20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photo", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--requests", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server.start(Path(folder) / "s") as server:
        print(json.dumps(measured(server, given.photo, given.style, given.requests)))


def measured(server: Server, photo: Path, style: Path, requests: int) -> dict[str, Any]:
    """The figures of so many requests: in turn an upload, five clicks, another upload and a run."""
    clicks: list[float] = []
    memory: dict[int, float] = {}
    painted = server.upload("styles", style.read_bytes(), style.name)["id"]
    number, uploaded, mask = 0, {}, ""
    while number < requests:
        match number % 8:
            case 0 | 6:
                uploaded = server.upload("photos", photo.read_bytes(), photo.name)
            case 7:
                server.wait(server.run(small_run(uploaded["id"], painted, mask)), "finished")
            case turn:
                point = [uploaded["width"] * turn // 6, uploaded["height"] // 2]
                body = {"photo": uploaded["id"], "select": {"points": [point]}}
                began = time.perf_counter()
                mask = server.post("/api/segment", body)["mask"]
                clicks.append(time.perf_counter() - began)
        number += 1
        if number in (WARM, requests):
            time.sleep(1)
            memory[number] = memory_of(server)
    return {
        "requests": requests,
        "MB_after_20": round(memory[WARM]),
        "MB_at_the_end": round(memory[requests]),
        "growth": round(memory[requests] / memory[WARM] - 1, 3),
        "click_s_median": round(statistics.median(clicks), 3),
        "click_s_most": round(max(clicks[1:]), 3),
    }


def small_run(photo: str, style: str, mask: str) -> dict[str, Any]:
    """A run with the default losses, and with few pixels and steps."""
    segmenter = {"use": "mask", "path": f"mask:{mask}"}
    return {
        "version": 1,
        "content": f"photo:{photo}",
        "objects": [{"segmenter": segmenter, "style": f"style:{style}"}],
        "optimizer": {"use": "adam", "steps": 3, "scales": 1},
        "size": 64,
        "shrink": 256,
    }


def memory_of(server: Server) -> float:
    """In megabytes."""
    total = 0
    for process in server.pids:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


if __name__ == "__main__":
    main()
