"""The schema of specs takes and refuses the same specs as the plan does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from instyle_core.config import plan
from instyle_core.config.document import Document
from instyle_core.config.schema import spec_schema
from instyle_core.errors import SpecError
from instyle_core.plugin.registry import Entry, Registry
from tests.core.helpers.commands import Command
from tests.core.helpers.specs import SPEC, SPECS, load

INSTALLED = Registry.installed()
SCHEMA = spec_schema(INSTALLED)
VALIDATOR = Draft202012Validator(SCHEMA)

#: What has no default.
NEEDED: dict[str, dict[str, Any]] = {
    "mask": {"path": "photo.jpg"},
    "smp": {"weights": "photo.jpg"},
}


def test_the_schema_is_a_schema() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)
    references = set(re.findall(r'"\$ref": "#/\$defs/([^"]*)"', json.dumps(SCHEMA)))
    assert references <= SCHEMA["$defs"].keys()


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS)
def test_specs_fit_the_schema(folder: Path, text: str) -> None:
    VALIDATOR.validate(yaml.load(text, Loader=_Numbers))
    VALIDATOR.validate(load(folder, text).dump())


class _Numbers(yaml.SafeLoader):
    """PyYAML takes 1e8 for a text."""


_Numbers.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[0-9.]+e-?[0-9]+$"), list("0123456789")
)


@pytest.mark.parametrize("entry", INSTALLED.entries(), ids=lambda entry: entry.plugin.name)
def test_every_plugin_can_be_used_by_schema_and_by_plan(folder: Path, entry: Entry) -> None:
    kind, name = entry.plugin.kind, entry.plugin.name
    full: dict[str, Any] = {"use": name, **NEEDED.get(name, {})}
    for use, fits in [
        (full, True),
        (name, name not in NEEDED),
        ({**full, "use": name + "-x"}, False),
        ({**full, "no-such-key": 1}, False),
        ({**full, "weight": 2}, kind == "loss" or "weight" in entry.plugin.params.model_fields),
        ({**full, "weight": -1}, False),
        (3, False),
        ({}, False),
        (name + "-x", False),
    ]:
        spec = yaml.safe_load(SPEC)
        spec |= {
            "segmenter": {"segmenter": use},
            "refiner": {"segmenter": {"use": "grabcut", "refine": use}},
            "extractor": {"extractors": {"mine": use}},
            "loss": {"losses": [use]},
            "ranker": {"style": {"choose_from": "paintings", "ranker": use}},
            "merger": {"merger": use},
        }[kind]
        assert VALIDATOR.is_valid(spec) == fits, use
        assert _is_valid(folder, spec) == fits, use


def _is_valid(folder: Path, spec: dict[str, Any]) -> bool:
    try:
        plan.make(Document.parse(json.dumps(spec), "a.json", folder), INSTALLED)
    except SpecError:
        return False
    return True


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"version": 2}, False),
        ({"version": "1"}, False),
        ({"content": None}, False),
        ({"content": ["photo.jpg"]}, False),
        ({"sieze": 1}, False),
        ({"size": 32}, True),
        ({"size": 31}, False),
        ({"size": 64.5}, False),
        ({"size": "big"}, False),
        ({"margin": 0.5}, True),
        ({"margin": 2.5}, False),
        ({"seed": -1}, False),
        ({"max_megapixels": 0}, False),
        ({"precision": "half"}, False),
        ({"start": "noise"}, True),
        ({"start": "other.jpg"}, True),
        ({"start": 3}, False),
        ({"style": {"images": ["painting.jpg"], "weights": [1], "scale": 2}}, True),
        ({"style": {"images": []}}, False),
        ({"style": {"images": ["painting.jpg"], "scale": 11}}, False),
        ({"style": {"images": ["painting.jpg"], "weights": [0]}}, False),
        ({"style": ["painting.jpg"]}, False),
        ({"style": {"choose_from": "paintings"}}, True),
        ({"style": {"choose_from": "paintings", "ranker": "affinity", "scale": 2}}, True),
        ({"style": {"choose_from": "paintings", "images": ["painting.jpg"]}}, False),
        ({"style": {"choose_from": 3}}, False),
        ({"style": {"scale": 1}}, False),
        ({"optimizer": {}}, True),
        ({"optimizer": {"steps": 3}}, True),
        ({"optimizer": {"use": "adam", "weight_decay": 0.1}}, True),
        ({"optimizer": {"use": "lbfgs", "history": 3, "scales": 2}}, True),
        ({"optimizer": {"history": 3}}, False),
        ({"optimizer": {"use": "sgd"}}, False),
        ({"optimizer": {"steps": 0}}, False),
        ({"optimizer": {"scales": 0}}, False),
        ({"optimizer": {"scales": "many"}}, False),
        ({"losses": []}, False),
        ({"losses": ["content", {"use": "style", "weight": 0}]}, True),
        ({"losses": {"use": "content"}}, False),
        ({"losses": [{"use": "content", "layers": []}]}, False),
        ({"losses": [{"use": "hard"}]}, False),
        ({"extractors": {"mine": {"use": "vgg19", "pooling": "average"}}}, True),
        ({"extractors": {"mine": {"use": "vgg19", "pooling": "none"}}}, False),
        ({"extractors": ["vgg19"]}, False),
        ({"objects": []}, False),
        ({"objects": [{}]}, True),
        ({"objects": {}}, False),
        ({"objects": [{"select": {"class": "cat", "instance": "all"}}]}, True),
        ({"objects": [{"select": {"point": [1, 2], "box": [1, 2, 3, 4], "instance": 0}}]}, True),
        ({"objects": [{"select": {"class": ["cat", "dog"], "not": [[1, 2]]}}]}, True),
        ({"objects": [{"select": {"points": [[1, 2], [3, 4]], "box": [1, 2, 5, 5]}}]}, True),
        ({"objects": [{"select": {"point": [1, 2], "points": [[3, 4]]}}]}, False),
        ({"objects": [{"select": {"points": [1, 2]}}]}, False),
        ({"objects": [{"select": {"points": []}}]}, False),
        ({"objects": [{"select": {"not": [[1, 2]] * 101}}]}, False),
        ({"objects": [{"select": {"class": []}}]}, False),
        ({"objects": [{"select": {"class": 3}}]}, False),
        ({"objects": [{"segmenter": "grabcut", "select": {"text": "a cat"}}]}, True),
        ({"objects": [{"segmenter": "grabcut", "select": {"text": " "}}]}, False),
        ({"objects": [{"select": {"instance": -1}}]}, False),
        ({"objects": [{"select": {"instance": "some"}}]}, False),
        ({"objects": [{"select": {"point": [1]}}]}, False),
        ({"objects": [{"select": {"box": [1, 2, 3]}}]}, False),
        ({"objects": [{"select": {"class_name": "cat"}}]}, False),
        ({"objects": [{"style": "other.jpg", "merger": "hard", "segmenter": "grabcut"}]}, True),
        ({"objects": [{"losses": [{"use": "content", "weight": -1}]}]}, False),
        ({"objects": [{"size": 64}]}, False),
    ],
)
def test_schema_and_plan_agree(folder: Path, change: dict[str, Any], fits: bool) -> None:
    spec = {**yaml.safe_load(SPEC), **change}
    assert _is_valid(folder, spec) == fits
    errors = [error.message for error in VALIDATOR.iter_errors(spec)]
    assert (not errors) == fits, errors


@pytest.mark.parametrize("key", ["version", "content", "output"])
def test_what_the_schema_requires(key: str) -> None:
    spec = yaml.safe_load(SPEC)
    del spec[key]
    (error,) = VALIDATOR.iter_errors(spec)
    assert f"'{key}' is a required property" in error.message


def test_the_schema_describes_every_key() -> None:
    for name, definition in {"the top": SCHEMA, **SCHEMA["$defs"]}.items():
        for key, field in definition.get("properties", {}).items():
            assert field.get("description"), f"{name}: {key}"


def test_the_command_line_prints_the_schema(instyle: Command) -> None:
    done = instyle("pipeline", "schema")
    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out) == SCHEMA
