"""docs/plugins.md: its worked plugins work as they are printed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from instyle_core.cli.new_plugin import write_package
from instyle_core.plugin.registry import Registry

GUIDE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def files(package: str) -> dict[str, str]:
    """The blocks that begin with a path, for one of the worked packages."""
    _, _, section = GUIDE.partition(f"$ instyle plugins new {package}\n")
    section = section.partition("$ instyle plugins new")[0]
    found = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return dict(found)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What a reader of the guide ends up with."""
    folder = tmp_path_factory.mktemp("guide")
    written = []
    for kind, name in (("loss", "sepia"), ("segmenter", "clean-plate")):
        package = write_package(kind, name, folder / f"instyle-{name}")
        for path, text in files(f"{kind} {name}").items():
            assert (package / path).is_file(), f"`instyle plugins new` writes no {path}"
            (package / path).write_text(text, encoding="utf-8")
        written.append(package)
    return written


def test_the_worked_examples_are_whole() -> None:
    module = "instyle_sepia"
    names = (f"{module}/__init__.py", f"{module}/params.py", f"{module}/loss.py")
    assert set(files("loss sepia")) == {*names, "tests/test_loss.py"}
    module = "instyle_clean_plate"
    names = (f"{module}/params.py", f"{module}/segmenter.py", "tests/test_segmenter.py")
    assert set(files("segmenter clean-plate")) == set(names)


def test_their_tests_pass(packages: list[Path]) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, packages))}
    options = ["-q", "-p", "no:cacheprovider", "-W", "error"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, packages)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=packages[0].parent,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [("check",), ("format", "--diff")])
def test_they_pass_ruff(packages: list[Path], arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", *map(str, packages)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_other_code_is_code() -> None:
    for block in blocks("python"):
        ast.parse(block)
    for block in blocks("yaml"):
        assert yaml.safe_load(block)


def test_names_that_the_guide_uses_are_there() -> None:
    import instyle_core
    from instyle_core import testing

    for name in re.findall(r"`instyle_core\.(\w+)", GUIDE):
        assert hasattr(instyle_core, name) or find_spec(f"instyle_core.{name}"), name
    for name in re.findall(r"`(check_\w+)\(", GUIDE) + re.findall(r"`testing\.(\w+)", GUIDE):
        assert hasattr(testing, name), name


def test_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", GUIDE, re.MULTILINE)
    }
    docs = Path(__file__).parents[2] / "docs"
    for target in re.findall(r"\]\(([^)]+)\)", GUIDE):
        if target.startswith("#"):
            assert target[1:] in headings, target
        else:
            assert (docs / target).exists(), target


def test_the_names_are_free() -> None:
    """Otherwise readers could not follow."""
    taken = {entry.plugin.name for entry in Registry.installed().entries()}
    assert not {"sepia", "clean-plate"} & taken
