"""What is refused when a plugin is registered, with the reason; all else is used."""

from __future__ import annotations

import pytest

from instyle_core.plugin.registry import Registry
from tests.core.helpers.site import Site, module, record


@pytest.mark.parametrize(
    ("changes", "name", "kind", "reason"),
    [
        ({"kind": "'filter'"}, "dots", None, "its kind is 'filter'; kinds are segmenter, "),
        ({"kind": "None", "name": "3"}, "broken", None, "its kind is None"),
        ({"name": "''"}, "broken", "loss", "its name is ''"),
        ({"name": "7"}, "broken", "loss", "its name is 7"),
        ({"name": "'My Dots'"}, "My Dots", "loss", "lower-case letters, digits and dashes"),
        ({"api": "2"}, "dots", "loss", "newer plugin interfaces (api=2)"),
        ({"api": "2", "kind": "'filter'"}, "dots", None, "upgrade instyle"),
        ({"api": "0"}, "dots", "loss", "upgrade the plugin"),
        ({"api": "'1'"}, "dots", "loss", "api='1'"),
        ({"params": "Params"}, "dots", "loss", "no subclass of instyle_core.LossParams"),
        ({"params": "LossParams()"}, "dots", "loss", "no subclass of instyle_core.LossParams"),
        ({"params": "None"}, "dots", "loss", "no subclass of instyle_core.LossParams"),
        ({"kind": "'extractor'"}, "dots", "extractor", "instyle_core.ExtractorParams"),
        ({"factory": "'dots_code.Dots'"}, "dots", "loss", "of the form 'package.module:Class'"),
        ({"factory": "'a:b:c'"}, "dots", "loss", "of the form"),
        ({"factory": "LossParams"}, "dots", "loss", "of the form"),
        ({"summary": "None"}, "dots", "loss", "its summary or source is not a text"),
        ({"weights": "('vgg',)"}, "dots", "loss", "not a tuple of instyle_core.Weights"),
        ({"kind": "['loss']"}, "dots", None, "its kind is ['loss']"),
    ],
)
def test_a_bad_record(
    site: Site, changes: dict[str, str], name: str, kind: str | None, reason: str
) -> None:
    fine = record(name="'fine'")
    site.install("broken", module(f"return [{record(**changes)}, {fine}]"))
    assert site.failure("broken")[:2] == (name, kind)
    assert reason in site.failure("broken")[2]
    assert Registry.installed().find("loss", "fine"), "a good record beside a bad one is used"


def test_a_record_that_cannot_even_be_looked_at(site: Site) -> None:
    rude = "class Rude:\n    def __repr__(self): raise SystemExit('no')\n"
    site.install("broken", rude + module(f"return [Rude(), {record()}]"))
    assert site.failure("broken") == ("broken", None, "SystemExit: no")
    assert Registry.installed().find("loss", "dots")


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("x: Nowhere", "its parameters cannot be described: name 'Nowhere' is not defined"),
        ("x: list[Nowhere] = []", "name 'Nowhere' is not defined"),
        ("x: Callable[[int], int] = abs", "Cannot generate a JsonSchema"),
        ("weight: int = 1", "it has a parameter 'weight', which is a key of the spec's own"),
        ("use: str = ''", "it has a parameter 'use'"),
        ("refine: int = 1", "it has a parameter 'refine'"),
        ("x: int = Field(1, alias='weight')", "it has a parameter 'weight'"),
        ("weight: int = Field(1, alias='x')", "it has a parameter 'weight'"),
        (
            "x: int = Field(1, validation_alias=AliasChoices('x', 'refine'))",
            "it has a parameter 'refine'",
        ),
        ("x: int = Field(1, serialization_alias='y')", "its parameter 'x' is written as 'y'"),
        ("x: int = Field(1, validation_alias='y')", "its parameter 'y' is written as 'x'"),
    ],
)
def test_parameters_that_a_spec_cannot_have(site: Site, field: str, reason: str) -> None:
    head = (
        "from __future__ import annotations\nfrom collections.abc import Callable\n"
        "from pydantic import AliasChoices, Field\n"
    )
    fine = record(name="'fine'")
    body = module(f"return [{record(params='MyParams')}, {fine}]")
    site.install("broken", f"{head}{body}\nclass MyParams(LossParams):\n    {field}\n")
    name, kind, actual = site.failure("broken")
    assert (name, kind) == ("dots", "loss")
    assert reason in actual
    assert Registry.installed().find("loss", "fine")


def test_a_type_that_is_defined_after_the_parameters_is_fine(site: Site) -> None:
    body = module(f"return [{record(params='MyParams')}]")
    classes = "class MyParams(LossParams):\n    x: Later | None = None\nclass Later(Params): pass\n"
    site.install("later", f"from __future__ import annotations\n{body}\n{classes}")
    assert Registry.installed().find("loss", "dots").params.model_json_schema()["properties"]["x"]
