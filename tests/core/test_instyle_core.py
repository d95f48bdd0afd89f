"""The public names of the package, and what must answer at once: it imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

import instyle_core
from instyle_core import interfaces
from tests.core.helpers.imports import HEAVY, command, imported_by

SPEC = Path(__file__).parents[2] / "docs" / "examples" / "one-object.yaml"


def test_the_test_sees_what_is_imported() -> None:
    assert "scipy" in imported_by("import scipy")


@pytest.mark.parametrize(
    "arguments",
    [
        ("plugins", "list"),
        ("plugins", "show", "vgg19"),
        ("pipeline", "validate", str(SPEC)),
        ("models", "list"),
    ],
)
def test_commands_that_compute_nothing(arguments: tuple[str, ...]) -> None:
    assert not imported_by(command(*arguments)) & HEAVY


@pytest.mark.parametrize("arguments", [("--help",), ("pipeline", "run", "--help")])
def test_help(arguments: tuple[str, ...]) -> None:
    assert not imported_by(command(*arguments)) & {*HEAVY, "pydantic", "yaml", "rich"}


def test_the_package() -> None:
    assert not imported_by("import instyle_core") & {*HEAVY, "pydantic"}
    plugin = "from instyle_core import Plugin, hookimpl"
    assert not imported_by(plugin) & {*HEAVY, "pydantic"}


def test_no_name_of_version_0_1_0_is_lost() -> None:
    names = """
        ExtractorParams FeatureExtractor InputError InputFile Instance InstyleError Loss LossParams
        Mask Merger Params Plugin Prompt Ranker RankerParams Rating Refiner Segmentation Segmenter
        SegmenterParams SummedLoss Targets View Weights WeightsError converted fetch fetch_from_hub
        hookimpl hub_weights read_mask read_picture read_state_dict
    """
    assert {*names.split()} <= {*instyle_core.__all__}


@pytest.mark.parametrize("package", [instyle_core, interfaces])
def test_every_public_name_leads_to_something(package: ModuleType) -> None:
    assert all(getattr(package, name) is not None for name in package.__all__)
    assert dir(package) == package.__all__


def test_both_packages_hand_on_the_same_interfaces() -> None:
    common = {*instyle_core.__all__} & {*interfaces.__all__}
    assert len(common) >= 20
    for name in common:
        assert getattr(instyle_core, name) is getattr(interfaces, name)


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(ImportError, match="no_such_name"):
        from instyle_core import no_such_name  # noqa: F401
