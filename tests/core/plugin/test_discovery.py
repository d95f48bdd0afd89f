"""Which modules with plugins there are: damaged metadata, names twice, ``INSTYLE_PLUGINS``."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instyle_core.plugin import discovery
from instyle_core.plugin.discovery import Failure, Source, allowed, installed, normalized
from instyle_core.plugin.registry import Registry
from tests.core.helpers.pictures import FEW
from tests.core.helpers.site import Site, module, record

# --- what is installed ----------------------------------------------------------------------------


def points_of_the_library() -> set[tuple[str, str, str, str]]:
    """What importlib.metadata itself finds."""
    found = importlib.metadata.entry_points(group="instyle")
    return {(p.name, p.value, p.dist.name, p.dist.version) for p in found if p.dist}


def points() -> set[tuple[str, str, str, str]]:
    return {(s.point, s.value, s.name, s.version) for s in installed()[0]}


def test_it_finds_what_importlib_metadata_finds(site: Site) -> None:
    site.install("instyle-dots")
    site.install("Many.Points", points=b"[instyle]\na = x\nb = y.z\n[other]\nc = w\n")
    site.install("other", points=b"[console_scripts]\nrun = other:main\n")
    assert points() == points_of_the_library()
    assert {("instyle_dots", "instyle_dots", "instyle-dots", "1.0")} < points()
    assert {(name, value) for name, value, whose, _ in points() if whose == "Many.Points"} == {
        ("a", "x"),
        ("b", "y.z"),
    }


@pytest.mark.parametrize("newer", ["[instyle]\nnew = new\n", "[console_scripts]\nnew = new:main\n"])
def test_the_first_of_a_name_on_the_path_hides_the_others(
    site: Site, monkeypatch: pytest.MonkeyPatch, newer: str
) -> None:
    site.install("instyle-dots", points=b"[instyle]\nold = old\n")
    first = Site(site.folder / "first")
    first.install("Instyle_Dots", points=newer.encode(), version="2.0")
    monkeypatch.syspath_prepend(first.folder)
    assert points() == points_of_the_library()
    found = [(s.point, s.version) for s in installed()[0] if s.key == "instyle-dots"]
    assert found == ([("new", "2.0")] if "[instyle]" in newer else [])


@pytest.mark.parametrize(
    ("points", "metadata", "label"),
    [
        (b"[console_scripts]\nno pair\n", None, "broken 1.0"),
        (b"\xff\xfe[instyle]\n", None, "broken 1.0"),
        (None, b"", "broken-1.0.dist-info"),
        (None, b"Metadata-Version: 2.1\nVersion: 1.0\n", "broken-1.0.dist-info"),
        (None, b"\xff\xfe\xfa", "broken-1.0.dist-info"),
        (b"\xff", b"\xff", "broken-1.0.dist-info"),
    ],
)
def test_damaged_metadata_is_told_and_hurts_nobody_else(
    site: Site, points: bytes | None, metadata: bytes | None, label: str
) -> None:
    site.install("broken", points=points, metadata=metadata)
    site.install("instyle-dots", module(f"return [{record()}]"))
    sources, failures = installed()
    (failure,) = (failure for failure in failures if failure.distribution == label)
    assert failure.name == label.partition(" ")[0]
    assert failure.reason.startswith("its metadata is damaged, so reinstall it: ")
    assert "\n" not in failure.reason
    assert "instyle-dots" in {source.name for source in sources}
    assert Registry.installed().find("loss", "dots")
    assert failure in Registry.installed().failures


@given(st.binary(max_size=60))
@settings(FEW)
def test_no_content_of_the_file_stops_it(site: Site, content: bytes) -> None:
    info = site.folder / "any-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_bytes(b"Metadata-Version: 2.1\nName: any\nVersion: 1.0\n")
    (info / "entry_points.txt").write_bytes(content)
    sources, _ = installed()
    assert "instyle" in {source.name for source in sources}


@pytest.fixture
def as_it_was() -> Iterator[None]:
    before = importlib.metadata.Distribution.entry_points
    yield
    importlib.metadata.Distribution.entry_points = before  # type: ignore[method-assign]


@pytest.mark.usefixtures("as_it_was")
def test_other_libraries_can_be_made_to_survive_damaged_metadata(site: Site) -> None:
    site.install("damaged", points=b"[console_scripts]\nno pair\n")
    discovery.skip_damaged_metadata()
    scripts = importlib.metadata.entry_points(group="console_scripts")
    assert "instyle" in scripts.names
    assert importlib.metadata.distribution("damaged").version == "1.0"
    assert "damaged 1.0" in {failure.distribution for failure in installed()[1]}


# --- INSTYLE_PLUGINS ------------------------------------------------------------------------------


def source(point: str, name: str) -> Source:
    return Source(point, point, name, "1.0", lambda: sys)


ALL = [
    source("instyle_losses", "instyle"),
    source("instyle_vgg", "instyle"),
    source("dots", "instyle-dots"),
    source("x_y", "Other.Package"),
]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, {"instyle_losses", "instyle_vgg", "dots", "x_y"}),
        ("none", set()),
        ("", set()),
        (" , ", set()),
        ("dots", {"dots"}),
        (" dots , x_y ", {"dots", "x_y"}),
        ("instyle", {"instyle_losses", "instyle_vgg"}),
        ("instyle_vgg,other.package", {"instyle_vgg", "x_y"}),
        ("-dots", {"instyle_losses", "instyle_vgg", "x_y"}),
        ("-dots, -instyle_vgg", {"instyle_losses", "x_y"}),
        ("-instyle,-Other_Package", {"dots"}),
    ],
)
def test_what_the_variable_leaves(
    monkeypatch: pytest.MonkeyPatch, value: str | None, kept: set[str]
) -> None:
    monkeypatch.delenv("INSTYLE_PLUGINS", raising=False)
    if value is not None:
        monkeypatch.setenv("INSTYLE_PLUGINS", value)
    found, failures = allowed(ALL)
    assert {source.point for source in found} == kept
    assert failures == []


@pytest.mark.parametrize(
    ("value", "kept", "reasons"),
    [
        (
            "instyle_loses",
            set(),
            ["no plugin module or package is called 'instyle_loses'; did you mean "],
        ),
        ("dots,zzzzzz", {"dots"}, ["no plugin module or package is called 'zzzzzz'"]),
        ("-zzzzzz,-dots", {"instyle_losses", "instyle_vgg", "x_y"}, ["called 'zzzzzz'"]),
        ("dots,-instyle", {"dots"}, ["names with a dash have no effect"]),
        ("dots,-dotz", {"dots"}, ["have no effect", "called 'dotz'; did you mean 'dots'?"]),
    ],
)
def test_mistakes_in_the_variable_are_told(
    monkeypatch: pytest.MonkeyPatch, value: str, kept: set[str], reasons: list[str]
) -> None:
    monkeypatch.setenv("INSTYLE_PLUGINS", value)
    found, failures = allowed(ALL)
    assert {source.point for source in found} == kept
    assert len(failures) == len(reasons)
    for failure, reason in zip(failures, reasons, strict=True):
        assert failure == Failure("INSTYLE_PLUGINS", None, "the environment", failure.reason)
        assert reason in failure.reason


@given(st.sets(st.sampled_from([source.point for source in ALL])))
@settings(FEW)
def test_leaving_out_is_the_opposite_of_naming(names: set[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTYLE_PLUGINS", ",".join(names))
        named, _ = allowed(ALL)
        patch.setenv("INSTYLE_PLUGINS", ",".join(f"-{name}" for name in names) or "-instyle-dotty")
        rest, _ = allowed(ALL)
    assert {source.point for source in named} == names
    assert [source for source in ALL if source not in named] == rest


@pytest.mark.parametrize(
    ("value", "imported"),
    [
        ("none", set()),
        ("second", {"second"}),
        ("-first", {"second"}),
        ("second, first", {"first", "second"}),
        ("instyle_losses", set()),
    ],
)
def test_what_is_left_out_is_not_even_imported(
    site: Site, monkeypatch: pytest.MonkeyPatch, value: str, imported: set[str]
) -> None:
    for name in ("first", "second"):
        site.install(name, module(f"return [{record(name=repr(name))}]"))
    monkeypatch.setenv("INSTYLE_PLUGINS", value)
    registry = Registry.installed()
    names = {entry.plugin.name for entry in registry.entries()}
    registry.commands()
    assert {"first", "second"} & names == imported
    assert {"first", "second"} & set(sys.modules) == imported
    assert ("content" in names) == (value in ("instyle_losses", "-first"))
    assert not registry.failures


def test_the_command_line_tells_of_a_mistake_once(site: Site) -> None:
    done = site.run("plugins", "list", INSTYLE_PLUGINS="instyle_losses,dotz")
    assert done.returncode == 0
    assert done.stderr.startswith("note: INSTYLE_PLUGINS: no plugin module or package is called")
    assert done.stderr.count("\n") == 1
    assert "dotz" in done.stdout.partition("cannot be used")[2]
    assert site.run("plugins", "list", INSTYLE_PLUGINS="instyle_losses").stderr == ""


# --- names of distributions -----------------------------------------------------------------------


@given(st.from_regex(r"[A-Za-z0-9]+([-_.]+[A-Za-z0-9]+)*", fullmatch=True))
@settings(FEW)
def test_names_are_normalized_as_pip_does(name: str) -> None:
    from packaging.utils import canonicalize_name

    assert normalized(name) == canonicalize_name(name)
