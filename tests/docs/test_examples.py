"""docs/examples: its specs are valid, and its plugin works when it is installed as anyone's."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from instyle_core.cli.new_plugin import write_package
from instyle_core.config import plan
from tests.core.helpers.installed import Installed

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PACKAGE = EXAMPLES / "instyle-inks"
WITH_THE_PLUGIN = EXAMPLES / "inks.yaml"


@pytest.mark.parametrize(
    "spec", sorted(set(EXAMPLES.glob("*.yaml")) - {WITH_THE_PLUGIN}), ids=lambda path: path.stem
)
def test_an_example_is_a_valid_spec(spec: Path) -> None:
    made = plan.load_plan(spec)
    assert made.spec.output == spec.with_suffix(".png")


def test_the_examples_show_what_they_say() -> None:
    one, two, whole, both = (
        plan.load_plan(EXAMPLES / f"{name}.yaml")
        for name in ("one-object", "two-objects", "whole-picture", "two-styles")
    )
    assert (len(one.objects), len(two.objects), len(whole.objects)) == (1, 2, 0)
    assert two.objects[0].losses != two.objects[1].losses
    assert two.objects[0].merger != two.objects[1].merger
    assert both.objects[0].style.weights == [3, 1]


# --- the plugin -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed.of(tmp_path_factory.mktemp("site"), PACKAGE)


def test_it_is_listed_with_its_distribution(installed: Installed, tmp_path: Path) -> None:
    listed = json.loads(installed.instyle("plugins", "list", "--json", cwd=tmp_path))
    (inks,) = (plugin for plugin in listed["plugins"] if plugin["name"] == "inks")
    assert (inks["kind"], inks["distribution"]) == ("loss", "instyle-inks 0.1.0")
    assert not [f for f in listed["failures"] if "inks" in f["distribution"]]


def test_its_parameters_are_shown(installed: Installed, tmp_path: Path) -> None:
    shown = installed.instyle("plugins", "show", "inks", cwd=tmp_path)
    assert "Reinhard" in shown
    assert "lightness" in shown
    assert "number >= 0, <= 1" in shown


def test_it_is_what_a_new_package_is(tmp_path: Path) -> None:
    def project(package: Path) -> dict[str, Any]:
        return tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))

    new = write_package("loss", "other-inks", tmp_path / "new")
    theirs, ours = project(new), project(PACKAGE)
    assert ours["project"].keys() - {"license"} == theirs["project"].keys()
    for key in ("requires-python", "keywords", "optional-dependencies"):
        assert ours["project"][key] == theirs["project"][key]
    assert set(theirs["project"]["dependencies"]) <= set(ours["project"]["dependencies"])
    assert ours["build-system"] == theirs["build-system"]
    written = {path.name for path in new.rglob("*") if path.is_file()}
    assert written - {"test_loss.py", "example.yaml"} <= {path.name for path in PACKAGE.rglob("*")}


def test_its_own_tests_pass(installed: Installed, tmp_path: Path) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-W", "error", "-c", str(PACKAGE / "pyproject.toml"))
    installed.pytest(*options, PACKAGE / "tests", cwd=tmp_path)


def test_its_example_is_a_valid_spec(installed: Installed, tmp_path: Path) -> None:
    said = installed.instyle("pipeline", "validate", str(WITH_THE_PLUGIN), cwd=tmp_path)
    assert "fine (1 object of cat.png)" in said


PIPELINE = """
from pathlib import Path

from instyle_core import load_plan, run, testing, write_picture
from instyle_core.events import Step

write_picture(Path("photo.png"), testing.picture(48, 64, seed=1))
write_picture(Path("style.png"), testing.picture(48, 64, seed=2))
events = []
result = run(load_plan("spec.yaml"), events.append)
values = [event.losses["inks"] for event in events if isinstance(event, Step)]
print(result.status, result.output.is_file(), values[0], values[-1])
"""

SPEC = """
version: 1
content: photo.png
style: style.png
output: painted.png
size: 64
device: cpu
losses: [{use: inks}, {use: tv, weight: 0.001}]
optimizer: {use: adam, steps: 20}
"""


def test_a_run_takes_over_the_colors(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    said = installed.python(PIPELINE, cwd=tmp_path)
    status, written, first, last = said.split()
    assert (status, written) == ("finished", "True")
    assert float(first) == pytest.approx(1, abs=1e-3)
    assert float(last) < 0.2
