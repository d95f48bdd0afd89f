"""Whatever the border finds in a run, the contract checks find in a test."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from instyle_core import Prompt, testing
from tests.core.helpers.faults import FAULTS, SPECS
from tests.core.helpers.studio import TOY


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The classes of the broken plugins."""
    monkeypatch.syspath_prepend(TOY.with_name("broken"))
    from instyle_broken import parts

    return parts


def check(parts: Any, kind: str, fault: str) -> None:
    """Have the contract of a kind checked, as the author of a plugin would."""
    params = sys.modules["instyle_broken"]
    black = torch.zeros(3, 32, 32)
    checks: dict[str, Callable[[], Any]] = {
        "segmenter": lambda: testing.check_segmenter(
            parts.BadSegmenter(params.BadSegmenterParams(fault=fault)),
            testing.picture(44, 60),
            Prompt(),
        ),
        "refiner": lambda: testing.check_refiner(parts.BadRefiner(params.BadParams(fault=fault))),
        "extractor": lambda: testing.check_extractor(
            parts.BadExtractor(own := params.BadExtractorParams(fault=fault)), own
        ),
        "loss": lambda: testing.check_loss(
            parts.BadLoss, params.BadLossParams(fault=fault), zero_at=black
        ),
        "ranker": lambda: testing.check_ranker(
            parts.BadRanker, params.BadRankerParams(fault=fault)
        ),
        "merger": lambda: testing.check_merger(parts.BadMerger(params.BadParams(fault=fault))),
    }
    checks[kind]()


@pytest.mark.parametrize("kind", list(SPECS))
def test_without_a_fault_they_pass(parts: Any, kind: str) -> None:
    check(parts, kind, "")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (kind, fault)
        for kind, fault, *_ in FAULTS
        # Of these kinds, a test makes the object itself.
        if not fault.startswith("constructor") or kind in ("loss", "ranker")
    ],
)
def test_each_fault_is_found(parts: Any, kind: str, fault: str) -> None:
    with pytest.raises(AssertionError, match=f"^the {kind} '") as caught:
        check(parts, kind, fault)
    assert " is broken: " in str(caught.value)
    assert caught.value.__cause__ is not None


def test_the_figure_and_the_tolerance_are_told(parts: Any) -> None:
    with pytest.raises(AssertionError) as caught:
        check(parts, "segmenter", "a sum of 0.9")
    assert str(caught.value) == (
        "the segmenter 'BadSegmenter' of instyle_broken.parts is broken: the sum of "
        "segment().probabilities is 0.9; it should be 1 (tolerance 0.001)"
    )


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("loss", "reads raises"),
        ("loss", "reads a text"),
        ("extractor", "layers of 0"),
        ("extractor", "reach of a text"),
    ],
)
def test_parameters_that_tell_wrong_things_are_found(parts: Any, kind: str, fault: str) -> None:
    with pytest.raises(
        AssertionError, match=rf"^the {kind} .* is broken: .*\(\) of its parameters"
    ):
        check(parts, kind, fault)
