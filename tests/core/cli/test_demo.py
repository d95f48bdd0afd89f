"""``instyle demo``, in small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from instyle_core.config import plan
from tests.core.helpers.commands import ESCAPE, Command, Done, assert_error
from tests.core.helpers.studio import listing, read


@pytest.fixture
def cheap_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's own spec, with fewer steps and pixels."""

    load = plan.load_plan

    def cheap(path: Path, change: Callable[[Any], None], _: None) -> plan.Plan:
        def changed(document: Any) -> None:
            change(document)
            document.set("optimizer.steps=3")
            document.set("size=64")

        return load(path, changed)

    monkeypatch.setattr(plan, "load_plan", cheap)


@pytest.mark.usefixtures("cheap_demo")
def test_demo(instyle: Command, tmp_path: Path) -> None:
    folder = tmp_path / "my demo"
    done = instyle("demo", "-o", folder)
    assert done.status == 0, done.err
    output = Path(done.out.removesuffix("\n"))
    spec = yaml.safe_load((folder / "demo.yaml").read_text("utf-8"))
    assert output == folder / spec["output"]
    assert (output.with_name(f"{output.name}.run") / "report.html").is_file()
    photo, painted = read(folder / spec["content"]), read(output)
    assert painted.shape == photo.shape
    changed = (painted != photo).any(axis=2)
    assert 0.05 < changed.mean() < 0.95
    assert ESCAPE not in done.err

    # What it left is a spec to play with, and the demo can be run again.
    assert instyle("pipeline", "validate", folder / "demo.yaml").status == 0
    assert instyle("demo", "-o", folder, "--quiet") == Done(0, "", "")


@pytest.mark.usefixtures("cheap_demo")
def test_the_demo_overwrites_nothing_of_yours(instyle: Command, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"my own cat")
    before = listing(tmp_path)
    assert_error(instyle("demo", "-o", tmp_path), 2, str(tmp_path / "cat.png"))
    assert listing(tmp_path) == before


def test_the_demo_needs_a_folder(instyle: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert instyle("demo", "-o", tmp_path / "file").status == 2
    done = instyle("demo", "-o", tmp_path / "file" / "below")
    assert done.status == 2
    assert "Traceback" not in done.err
