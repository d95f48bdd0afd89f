"""docs/plugins.md: its worked plugins work as they are printed, and what it says is so."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import instyle_core
from instyle_core import ExtractorParams, Targets, testing, write_picture
from instyle_core.cli.new_plugin import write_package
from instyle_core.interfaces.kinds import RESERVED
from instyle_core.painting.features import FeatureStack
from instyle_core.painting.mask_pyramid import MaskPyramid
from instyle_core.plugin.registry import Registry
from tests.core.helpers.installed import Installed

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "plugins.md").read_text(encoding="utf-8")

#: The packages that the guide makes, with the files that it prints; the others are the template's.
WORKED = {
    ("loss", "moments"): {"__init__.py", "params.py", "loss.py", "test_loss.py"},
    ("loss", "adain"): {"loss.py", "test_loss.py"},
    ("segmenter", "clean-plate"): {
        *("params.py", "segmenter.py", "test_segmenter.py"),
        *("__init__.py", "commands.py"),  # in the section on commands
    },
}


def blocks(language: str, text: str = GUIDE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    """What stands below a heading."""
    return GUIDE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def files(kind: str, name: str) -> dict[str, str]:
    """The blocks that begin with a path in a package."""
    module = re.escape(f"instyle_{name.replace('-', '_')}")
    text = GUIDE.partition(f"$ instyle plugins new {kind} {name}\n")[2]
    text = text.partition("$ instyle plugins new")[0]
    found = re.findall(
        rf"^```python\n# ((?:{module}|tests)/\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    return dict(found)


def other_code() -> list[str]:
    """The blocks that are no files."""
    return [text for text in blocks("python") if not re.match(r"# \S+\.py\n", text)]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What a reader of the guide ends up with."""
    folder = tmp_path_factory.mktemp("guide")
    written = []
    for kind, name in WORKED:
        package = write_package(kind, name, folder / f"instyle-{name}")
        for path, text in files(kind, name).items():
            (package / path).write_text(text, encoding="utf-8")
        written.append(package)
    return written


@pytest.fixture(scope="module")
def installed(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed.of(tmp_path_factory.mktemp("site"), *packages)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with all pictures that the guide names."""
    for seed, name in enumerate(sorted(set(re.findall(r"[\w-]+\.(?:png|jpg)", GUIDE)))):
        write_picture(tmp_path / name, testing.picture(48, 64, seed=seed))
    return tmp_path


# --- the worked plugins ---------------------------------------------------------------------------


def test_the_worked_examples_are_whole() -> None:
    for (kind, name), expected in WORKED.items():
        assert {Path(path).name for path in files(kind, name)} == expected
    count = sum(map(len, WORKED.values()))
    assert len(blocks("python")) - len(other_code()) == count, "a file belongs to no package"


def test_their_tests_pass(packages: list[Path], installed: Installed) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-W", "error", "--import-mode=importlib")
    tests = [package / "tests" for package in packages]
    installed.pytest(*options, *tests, cwd=packages[0].parent)


@pytest.mark.parametrize("arguments", [("check",), ("format", "--diff")])
def test_they_pass_ruff(packages: list[Path], arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", *map(str, packages)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_are_found_with_their_packages(installed: Installed, tmp_path: Path) -> None:
    listed = json.loads(installed.instyle("plugins", "list", "--json", cwd=tmp_path))
    found = {(p["kind"], p["name"]): p["distribution"] for p in listed["plugins"]}
    for kind, name in WORKED:
        assert found[kind, name] == f"instyle-{name} 0.1.0"
    assert not listed["failures"]
    for _, name in WORKED:
        assert (installed.folder / f"instyle_{name.replace('-', '_')}" / "py.typed").is_file()


def test_the_names_are_free() -> None:
    """Otherwise readers could not follow."""
    taken = {entry.plugin.name for entry in Registry.installed().entries()}
    assert not {name for _, name in WORKED} & taken


def whole_specs() -> list[dict[str, Any]]:
    """The specs of the guide; what others leave out is that of the first."""
    first, *others = map(yaml.safe_load, blocks("yaml"))
    assert first["version"] == 1
    return [first, *({**first, **other} for other in others)]


def test_their_specs_are_valid(installed: Installed, pictures: Path) -> None:
    assert len(whole_specs()) == 3
    for spec in whole_specs():
        (pictures / "spec.yaml").write_text(yaml.safe_dump(spec))
        assert ": fine (" in installed.instyle("pipeline", "validate", "spec.yaml", cwd=pictures)


@pytest.mark.parametrize("number", [0, 1])
def test_a_run_with_each_loss(installed: Installed, pictures: Path, number: int) -> None:
    spec = {**whole_specs()[number], "size": 64, "device": "cpu", "output": "painted.png"}
    (loss,) = (loss for loss in spec["losses"] if loss["use"] in ("moments", "adain"))
    spec["losses"] = [loss]
    spec["optimizer"] = {"use": "lbfgs", "steps": 8, "scales": 1}
    (pictures / "spec.yaml").write_text(yaml.safe_dump(spec))
    printed = installed.instyle("pipeline", "run", "spec.yaml", cwd=pictures)
    assert printed.strip() == str(pictures / "painted.png")
    table = (pictures / "painted.png.run" / "losses.csv").read_text().splitlines()
    column = table[0].split(",").index(loss["use"])
    values = [float(line.split(",")[column]) for line in table[1:]]
    assert values[-1] < 0.7 * values[0]


class PixelLayers(ExtractorParams):
    """The layers of `testing.PixelExtractor`, each cell of which depends on its own pixels."""

    def layers(self) -> Mapping[str, int]:
        return {"relu2_1": 2, "relu3_1": 2}

    def reach(self, layer: str) -> int:
        return 0


def test_the_summed_loss_is_the_same_in_tiles(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(installed.folder)
    params = import_module("instyle_adain.params").AdainParams()
    loss = import_module("instyle_adain.loss").AdainLoss(params)
    stack = FeatureStack(
        {"vgg19": testing.PixelExtractor()},
        [params.reads()],
        torch.device("cpu"),
        params={"vgg19": PixelLayers()},
        tile=16,
    )
    pictures = (testing.picture(48, 40, seed=seed)[None].double() for seed in range(3))
    photo, style, other = pictures
    mask = MaskPyramid(testing.disc(48, 40).probability[None].double())
    everywhere = MaskPyramid(torch.ones_like(style[:, :1]))
    targets = stack.target(photo, mask), (stack.target(style, everywhere),), (1.0,)
    loss.prepare(Targets(*targets))
    assert len(stack.tiles((48, 40))) > 4
    (sums,) = stack.sums([loss], other, mask)
    whole = float(loss(stack.view(other, mask)))
    assert whole > 0.1
    assert float(loss.value(sums)) == pytest.approx(whole, rel=1e-9)


# --- commands, notebooks, parameters --------------------------------------------------------------


def test_the_command(installed: Installed, pictures: Path) -> None:
    for number, name in enumerate(("one", "two", "three")):
        photo = testing.picture(24, 32)
        photo[:, :, 10 * number : 10 * number + 8] = 1  # something that moves
        write_picture(pictures / f"{name}.png", photo)
    (command,) = re.findall(r"^\$ instyle (clean-plate .*)$", GUIDE, re.MULTILINE)
    arguments = command.replace(".jpg", ".png").split()
    assert installed.instyle(*arguments, cwd=pictures).strip() == "empty.png"
    empty = instyle_core.read_picture(pictures / "empty.png").pixels
    torch.testing.assert_close(empty, testing.picture(24, 32), atol=1 / 255, rtol=0)


def test_the_notebook(installed: Installed, pictures: Path) -> None:
    (code,) = (text for text in other_code() if "register(" in text)
    assert '"size": 128' in code
    code = code.replace('"size": 128', '"size": 64') + "print(result.status, result.output)\n"
    printed = installed.python(code, cwd=pictures)
    assert printed.strip() == f"finished {pictures / 'warm.png'}"
    before, after = (
        instyle_core.read_picture(pictures / name).pixels for name in ("photo.jpg", "warm.png")
    )
    assert after[2].mean() < before[2].mean() - 0.05


def test_old_names_of_parameters_are_told(pictures: Path) -> None:
    (code,) = (text for text in other_code() if "AliasChoices" in text)
    names: dict[str, Any] = {}
    exec(code, names)
    notes: list[str] = []
    old = {"amount": 2, "blur": 1}
    params = names["GrainParams"].model_validate(old, context={"notes": notes})
    assert params.strength == 2
    assert [f"note: loss 'grain': {note}" for note in notes] == blocks("text")[0].splitlines()
    with pytest.warns(DeprecationWarning, match="lower `strength`"):
        _ = params.blur


def test_other_code_is_code() -> None:
    for block in blocks("python"):
        ast.parse(block)
    weights = next(text for text in other_code() if "Weights(" in text)
    exec(weights, {})


# --- names ----------------------------------------------------------------------------------------


def test_the_public_names_are_those_of_the_package() -> None:
    table = section("What is public").partition("| names of `instyle_core` |")[2]
    rows = re.findall(r"^\| (`.*`) \|", table, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert len(told) == len(set(told))
    assert set(told) == set(instyle_core.__all__)


def test_examples_import_public_names_alone() -> None:
    modules = {"instyle_core.testing", "instyle_core.events"}
    for block in blocks("python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Import):
                imported = {alias.name for alias in node.names}
                assert not {n for n in imported if n.startswith("instyle_core")} - modules
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("instyle_core"):
                names = {alias.name for alias in node.names}
                if node.module == "instyle_core":
                    assert names <= {*instyle_core.__all__, "testing", "events"}
                else:
                    assert node.module in modules


def test_names_that_the_guide_uses_are_there() -> None:
    for name in re.findall(r"`instyle_core\.(\w+)", GUIDE):
        there = {*instyle_core.__all__, "testing", "events", "interfaces"}
        assert name in there, f"{name} is not public"
    for name in re.findall(r"`(check_\w+)\(", GUIDE) + re.findall(r"`testing\.(\w+)", GUIDE):
        assert hasattr(testing, name), name


def test_the_keys_that_are_no_parameters() -> None:
    (line,) = re.findall(r"^- (.*) are keys of the spec itself", GUIDE, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", line)) == RESERVED


def test_the_contents_are_the_headings() -> None:
    contents = re.findall(r"^- \[(.*)\]\(#", GUIDE, re.MULTILINE)
    assert contents == re.findall(r"^## (.*)$", GUIDE, re.MULTILINE)
