"""A plugin that is used: how it is made, and what its parameters tell of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import field_serializer

from instyle_core import InstyleError, Loss, Params, Plugin, SummedLoss, Weights
from instyle_core.config.resolve import resolve
from instyle_core.errors import PluginError
from instyle_core.interfaces.params import ExtractorParams, LossParams
from instyle_core.plugin.registry import Registry
from instyle_core.plugin.use import Use
from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.faults import changes
from tests.core.helpers.imports import HEAVY, imported_by
from tests.core.helpers.studio import Studio, listing

FILE = Weights("file", "file.bin", "0" * 64, 1.0, package="instyle_core")


def use(kind: Any, name: str, **more: Any) -> Use:
    context = {"registry": Registry.installed(), "extractors": {}}
    return resolve(kind, {"use": name, **more}, context)


def of(params: Params, kind: Any = "loss") -> Use:
    return Use(Plugin(kind, "own", type(params), "own:Own", ""), params, distribution="own 0.7")


# --- making it ------------------------------------------------------------------------------------


def test_what_is_made_is_of_the_interface(broken: Studio) -> None:
    assert isinstance(use("loss", "bad").create(), Loss)
    assert not isinstance(use("loss", "bad").create(), SummedLoss)
    assert isinstance(use("loss", "bad-sums").create(), SummedLoss)
    assert use("loss", "bad").who == "the loss 'bad' of instyle-broken 2.3"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", ("instyle-broken 2.3", "AttributeError", "has no attribute 'Nowhere'")),
        ("exits", ("instyle-broken 2.3", "instyle_broken.exits:BadLoss", "SystemExit: 0")),
    ],
)
def test_code_that_cannot_be_imported(
    instyle: Command, broken: Studio, name: str, words: tuple[str, ...]
) -> None:
    before = listing(broken.folder)
    done = instyle("pipeline", "run", broken.spec(losses=[{"use": name}]), "--quiet")
    done.err = done.err.removeprefix("it talks\n")  # not on standard output
    assert_error(done, 1, f"'{name}'", *words)
    assert set(listing(broken.folder)) == {*before, "spec.yaml"}


def test_it_imports_nothing_heavy() -> None:
    assert not imported_by("import instyle_core.plugin.use") & HEAVY


# --- what parameters tell -------------------------------------------------------------------------


class Fine(LossParams, ExtractorParams):
    def reads(self) -> Mapping[str, Sequence[str]]:
        return MappingProxyType({"vgg19": ("relu1_1",), "mine": []})

    def layers(self) -> Mapping[str, int]:
        return {"a": 1, "b": 16}

    def reach(self, layer: str) -> int | None:
        return {"a": 0}.get(layer)

    def pretrained(self) -> Sequence[Weights]:
        return [FILE]


def test_right_answers_are_handed_on() -> None:
    asked = of(Fine())
    assert asked.reads() == {"vgg19": ("relu1_1",), "mine": []}
    assert asked.layers() == {"a": 1, "b": 16}
    assert (asked.reach("a"), asked.reach("b")) == (0, None)
    assert asked.pretrained() == [FILE]


def test_what_reads_nothing_and_refines_nothing_need_not_say_so() -> None:
    asked = of(Params(), "merger")
    assert asked.reads() == {}
    assert asked.refiner() is None
    assert asked.pretrained() == ()


@pytest.mark.parametrize(
    ("kind", "fault", "words"),
    [
        ("loss", "reads raises", ["reads() of its parameters raised RuntimeError: it broke"]),
        ("loss", "reads exits", ["reads() of its parameters raised SystemExit"]),
        ("loss", "reads a list", ["reads() of its parameters is ['bad']", "lists of layers"]),
        ("loss", "reads a text", ["is {'bad': 'cells'}", "a mapping of extractors to lists"]),
        ("extractor", "layers raises", ["layers() of its parameters raised RuntimeError"]),
        ("extractor", "layers of text", ["is {'cells': '2'}", "a mapping of layers to strides"]),
        ("extractor", "layers of 0", ["layers() of its parameters is {'cells': 0}"]),
        *(
            (kind, "validator raises", ["a validator of its parameters raised KeyError"])
            for kind in ("segmenter", "extractor", "loss", "ranker", "merger")
        ),
    ],
)
def test_wrong_answers_are_found_when_a_spec_is_checked(
    instyle: Command, broken: Studio, kind: str, fault: str, words: list[str]
) -> None:
    done = instyle("pipeline", "validate", broken.spec(**changes(kind, fault)))
    assert_error(done, 1, f"the {kind} 'bad' of instyle-broken 2.3 is broken: ", *words)


@pytest.mark.parametrize(
    ("kind", "fault", "words"),
    [
        ("extractor", "reach raises", ["reach() of its parameters raised RuntimeError"]),
        ("extractor", "reach of a text", ["reach() of its parameters is 'far'", "pixels, or None"]),
        ("merger", "weights raises", ["pretrained() of its parameters raised RuntimeError"]),
        ("loss", "weights exits", ["pretrained() of its parameters raised SystemExit"]),
        ("loss", "weights by name", ["is ['net.bin']", "a list of instyle_core.Weights"]),
    ],
)
def test_others_when_it_is_run(
    instyle: Command, broken: Studio, kind: str, fault: str, words: list[str]
) -> None:
    before = listing(broken.folder)
    done = instyle("pipeline", "run", broken.spec(**changes(kind, fault)), "--quiet")
    assert_error(done, 1, f"the {kind} 'bad' of instyle-broken 2.3 is broken: ", *words)
    assert set(listing(broken.folder)) == {*before, "spec.yaml"}


def test_the_refiner_of_a_segmenter_is_named_by_a_text(instyle: Command, broken: Studio) -> None:
    done = instyle("pipeline", "validate", broken.spec(segmenter={"use": "odd"}))
    who = "the segmenter 'odd' of instyle-broken 2.3 is broken: "
    assert_error(done, 1, f"{who}refiner() of its parameters is 3; it should be the name")


def test_parameters_that_cannot_be_written_down() -> None:
    class Shy(Params):
        value: int = 3

        @field_serializer("value")
        def _no(self, value: int) -> int:
            raise RuntimeError("not told")

    with pytest.raises(PluginError, match=r"'own' of own 0.7 is broken: model_dump\(\)") as caught:
        of(Shy()).dump()
    assert isinstance(caught.value, InstyleError)
    assert "not told" in caught.value.what
