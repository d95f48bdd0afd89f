"""Run folders by somebody else, for `hostile.py`: records, states, losses, links and remains."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import torch
from hostile_weights import Canary, deflated, flipped, saved
from project import make_project

from instyle_core import pipeline
from instyle_core.config.plan import load_plan
from instyle_core.events import Event, Step

#: The run that is resumed, by the folder that `prepare_run` was given.
_prepared: dict[bool, Path] = {}

#: Numbers and texts that no run writes.
ODD: list[Any] = [
    *(None, True, -1, 0, 1, 3, 10**4, 10**9, 2**63, 10**400, 1e308, math.nan, math.inf, -0.5),
    *("", "x", "../../around", "/", "\ud800", "a\0b", "\x1b[2J", "x" * 5000, "9" * 5000),
    *([], {}, [1, 2], [[1]], {"a": 1}, [{}], {"ranking": 3}, {"ranking": [{}]}),
]

#: In place of a tensor.
TENSORS = [
    lambda t: t.double(), lambda t: t[None], lambda t: t.reshape(-1), lambda t: torch.zeros(()),
    lambda t: torch.full_like(t, math.nan) if t.is_floating_point() else t + 1,
    lambda t: torch.zeros(1).expand(2**24, 2**24), lambda t: torch.zeros(1).expand(3, 2**20, 2**12),
    lambda t: torch.zeros(3, 1, 1), lambda t: t.to(torch.int64), lambda t: t[:0], lambda t: None,
    lambda t: torch.zeros(3, 8, 8), lambda t: torch.sparse_coo_tensor([[0]], [1.0], (2**40,)),
    lambda t: t.to(torch.complex64), lambda t: torch.empty(t.shape, device="meta"), lambda t: 1,
    lambda t: t.clone().requires_grad_() if t.is_floating_point() else t, lambda t: [t],
    lambda t: t * 1e30, lambda t: torch.zeros(3, 4000, 4000),
    lambda t: torch.nn.Parameter(t.float()),
]  # fmt: skip


def prepare_run(folder: Path) -> None:
    """Make interrupted runs, of Adam and of L-BFGS, that are copied later."""
    for is_adam in (True, False):
        place = folder / f"prepared-{is_adam}"
        optimizer = {"use": "adam" if is_adam else "lbfgs", "steps": 4, "scales": 1}
        more: dict[str, Any] = {"snapshots": 1, "size": 64, "optimizer": optimizer}
        spec = make_project(place, objects=2, device="cpu", **more)

        def stop(event: Event) -> None:
            if isinstance(event, Step) and (event.item, event.step) == (1, 2):
                raise KeyboardInterrupt

        assert pipeline.run(load_plan(spec), stop).resumable
        _prepared[is_adam] = place


def hidden(folder: Path, name: str) -> Path:
    """A path beside the run folder that is taken for that of a run that died."""
    digest = hashlib.sha256(b"out.png.run").hexdigest()[:8]
    return folder / f".instyle-{digest}-{name}"


def resumed(chance: random.Random, folder: Path) -> tuple[str, list[str]]:
    """A hostile run folder or hidden folder, and the command that meets it."""
    project, around = folder / "project", folder / "around"
    shutil.copytree(_prepared[chance.random() < 0.6], project)
    run = project / "out.png.run"
    made = chance.choice(MAKERS)(chance, run, around)
    label = f"{made[0]} {made[1]}"[:200]
    if run.exists() and not run.is_symlink() and chance.random() < 0.25:
        _set_record(run, status="running")
        run.rename(hidden(project, "died0000"))
        label += ", died"
    spec = "spec.yaml"
    if (run / "run.json").is_file() and chance.random() < 0.3:
        spec = "out.png.run/run.json"
    resume = ["--resume"] if chance.random() < 0.85 else []
    return label, ["pipeline", "run", spec, "--json", "--output", "out.png", *resume]


def _set_record(run: Path, **changes: Any) -> None:
    path = run / "run.json"
    try:
        record = json.loads(path.read_bytes()) if path.is_file() else None
    except (ValueError, RecursionError):
        return
    if isinstance(record, dict):
        path.write_text(json.dumps(record | changes))


def _state(run: Path) -> Path:
    return next(run.glob("state-*.pt"))


def _put_state(run: Path, data: bytes) -> None:
    """With its hash in the record."""
    _state(run).unlink()
    digest = hashlib.sha256(data).hexdigest()
    (run / f"state-{digest[:8]}.pt").write_bytes(data)
    _set_record(run, state=digest)


def _leaf(data: Any, chance: random.Random) -> tuple[Any, Any]:
    """A random place in nested data: what holds it, and its key there."""
    key: Any
    while True:
        key = chance.choice([*data] if isinstance(data, dict) else [*range(len(data))])
        if not isinstance(data[key], dict | list) or not data[key] or chance.random() < 0.15:
            return data, key
        data = data[key]


def _record(chance: random.Random, run: Path, around: Path) -> tuple[str, Any]:
    record = json.loads((run / "run.json").read_bytes())
    what = []
    for _ in range(chance.randint(1, 3)):
        holder, key = _leaf(record, chance)
        holder[key] = chance.choice(ODD)
        what.append(f"{key}={str(holder[key])[:20]!a}")
    text = json.dumps(record)
    if chance.random() < 0.1:
        text = chance.choice([text[:-9], "[" * 10**5, text.replace("{", "[", 1), "1" * 5000, "1"])
    (run / "run.json").write_text(text)
    return "record", what


def _objects(chance: random.Random, run: Path, around: Path) -> tuple[str, Any]:
    record = json.loads((run / "run.json").read_bytes())
    facts = {"style": {"ranking": chance.choice(ODD)}, "pixels": chance.choice(ODD)}
    record["objects"]["object-0"] = chance.choice([facts, {"style": chance.choice(ODD)}])
    record["seconds"] = chance.choice([record["seconds"], {}, {"a\ud800": math.nan}])
    (run / "run.json").write_text(json.dumps(record))
    return "objects", record["objects"]["object-0"]


def _content(chance: random.Random, run: Path, around: Path) -> tuple[str, Any]:
    content = torch.load(_state(run), weights_only=True)
    what = []
    for _ in range(chance.randint(1, 2)):
        holder, key = _leaf_of_state(content, chance)
        value = holder[key]
        if isinstance(value, torch.Tensor):
            index = chance.randrange(len(TENSORS))
            try:
                holder[key] = TENSORS[index](value)
            except (RuntimeError, IndexError):
                holder[key] = None
            what.append(f"{key}: tensor {index}")
        else:
            holder[key] = chance.choice([odd for odd in ODD if odd != "\ud800"])
            what.append(f"{key}={str(holder[key])[:20]!a}")
    buffer = io.BytesIO()
    torch.save(content, buffer)
    _put_state(run, buffer.getvalue())
    return "state", what


def _leaf_of_state(content: Any, chance: random.Random) -> tuple[Any, Any]:
    key: Any
    while True:
        if isinstance(content, tuple):
            raise TypeError
        key = chance.choice([*content] if isinstance(content, dict) else [*range(len(content))])
        value = content[key]
        if isinstance(value, tuple):
            value = content[key] = [*value]
        if not isinstance(value, dict | list) or not value or chance.random() < 0.1:
            return content, key
        content = value


def _bytes(chance: random.Random, run: Path, around: Path) -> tuple[str, Any]:
    whole = _state(run).read_bytes()
    kinds = {
        "pickle": lambda: pickle.dumps(Canary(around / "canary"), protocol=2),
        "torch": lambda: saved({"format": 5, "finished": Canary(around / "canary")}),
        "bomb": lambda: deflated(saved({"format": 5, "random": torch.zeros(10**7)})),
        "cut": lambda: whole[: len(whole) // 2],
        "flipped": lambda: flipped(whole, chance),
        "compressed": lambda: deflated(whole),
    }
    kind = chance.choice([*kinds])
    _put_state(run, kinds[kind]())
    return "bytes", kind


def _losses(chance: random.Random, run: Path, around: Path) -> tuple[str, Any]:
    path = run / "losses.csv"
    rows = [*csv.reader(io.StringIO(path.read_text()))]
    what = []
    for _ in range(chance.randint(1, 3)):
        row = rows[chance.choice([0, 1, 2, -1, -2])]
        at = chance.randrange(len(row))
        row[at] = chance.choice(
            ["", "x", "0", "-1", "1e999", "nan", "9" * 5000, "step", "object", "total", '"']
        )
        what.append(f"{at}={row[at][:9]}")
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    text = buffer.getvalue()
    if chance.random() < 0.1:
        text, what = chance.choice(["\0", "a" * 200_000, '"', text * 9]), ["text"]
    path.write_text(text)
    return "losses", what


def _links(chance: random.Random, run: Path, around: Path) -> tuple[str, Any]:
    """Files and folders of the run folder that lead elsewhere, or are no plain files."""
    inside = [path for path in sorted(run.rglob("*"))]
    path = chance.choice([*inside, run / "report.html", run / "new.png", run / "run.json"])
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    to = chance.choice(["secret", "folder", "/dev/zero", "/dev/full", "missing", "pipe", "self"])
    if to == "pipe":
        os.mkfifo(path)
    else:
        places = {"secret": around / "secret.txt", "folder": around / "folder", "self": path}
        path.symlink_to(places.get(to, Path(to if to[0] == "/" else around / to)))
    return "link", f"{path.relative_to(run)} -> {to}"


def _remains(chance: random.Random, run: Path, around: Path) -> tuple[str, Any]:
    """Hidden folders like those of runs that died, with links to what is around."""
    project = run.parent
    how = chance.choice(["replaced", "replaced file", "dead link", "staged", "record", "record"])
    if chance.random() < 0.5:
        shutil.rmtree(run)
        how += ", no folder"
    if how.startswith("replaced file"):
        hidden(project, "replaced-00000000").write_text("file")
    elif how.startswith("replaced"):
        hidden(project, "replaced-00000000").symlink_to(around / "folder")
    elif how.startswith("dead"):
        hidden(project, "00000000").symlink_to(around / "folder")
    else:
        dead = hidden(project, "00000000")
        dead.mkdir()
        status = chance.choice(["finished", "running", "interrupted", 3, [], "x" * 10**6])
        (dead / "run.json").write_text(json.dumps({"status": status}))
        if how.startswith("staged"):
            (dead / "run.json").write_text('{"status": "finished"}')
            to = chance.choice(["secret", "folder", "pipe", "a folder"])
            how += f" {to}"
            if to == "pipe":
                os.mkfifo(dead / "staged-output")
            elif to == "a folder":
                (dead / "staged-output").mkdir()
            else:
                place = around / ("secret.txt" if to == "secret" else to)
                (dead / "staged-output").symlink_to(place)
        elif chance.random() < 0.7:
            (dead / "run.json").unlink()
            to = chance.choice(["/dev/zero", "pipe", "folder", "secret"])
            how += f" {to}"
            if to == "pipe":
                os.mkfifo(dead / "run.json")
            else:
                place = around / ("secret.txt" if to == "secret" else to)
                (dead / "run.json").symlink_to(to if to[0] == "/" else place)
    return "remains", how


MAKERS = [_record, _objects, _content, _content, _bytes, _losses, _links, _links, _remains]
