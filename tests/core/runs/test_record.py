"""The facts of ``run.json``, against importlib.metadata, hashlib and the plan itself."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from pydantic import ValidationError

from instyle_core.errors import InputError
from instyle_core.runs.record import Record, hash_of, origins
from instyle_vgg.weights import OXFORD
from tests.core.helpers.interrupted import has_state
from tests.core.helpers.studio import Studio

#: The least that a record holds.
LEAST = {
    "instyle": "1.2",
    "status": "interrupted",
    "reason": "interrupted",
    "spec": {"version": 1},
    "started": "2026-01-02T03:04:05+0000",
    "seconds": {"total": 1.5},
    "objects": {},
    "losses": {},
    "notes": [],
    "inputs": {"photo.png": "0" * 64},
    "weights": {},
    "plugins": {},
    "versions": {},
    "machine": {"device": "cpu"},
}


def test_origins_are_the_versions_that_are_installed(studio: Studio) -> None:
    found = origins(studio.plan())
    assert found["instyle"] == version("instyle")
    assert found["versions"]["python"] == "{}.{}.{}".format(*sys.version_info)
    for name in ("torch", "torchvision", "kornia", "pillow", "numpy"):
        assert found["versions"][name] == version(name)
    assert found["versions"]["python"] == platform.python_version()


def test_origins_name_every_plugin_with_its_distribution(studio: Studio) -> None:
    segmenter = {"use": "stencil", "path": "mask.png", "refine": "shift"}
    losses = [{"use": "tint"}, {"use": "content", "extractor": "pixels", "layers": ["cells"]}]
    plan = studio.plan(segmenter=segmenter, losses=losses, merger={"use": "feather"})
    toy, own = "instyle-toy 1.0", f"instyle {version('instyle')}"
    assert origins(plan)["plugins"] == {
        "segmenter stencil": toy,
        "refiner shift": toy,
        "loss tint": toy,
        "loss content": own,
        "extractor pixels": toy,
        "merger feather": own,
    }


def test_origins_have_the_hashes_of_the_weights(studio: Studio) -> None:
    assert origins(studio.plan())["weights"] == {}
    plan = studio.plan(losses=[{"use": "content", "layers": ["relu1_1"]}])
    assert origins(plan)["weights"] == {OXFORD.name: OXFORD.sha256}


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 9999])
def test_the_hash_of_a_file_is_its_sha256(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert hash_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file") as caught:
        hash_of(tmp_path / "nowhere.png")
    assert caught.value.where == str(tmp_path / "nowhere.png")
    assert caught.value.hint


# --- the record -----------------------------------------------------------------------------------


def test_a_run_s_own_record_is_one(studio: Studio) -> None:
    result = studio.run()
    written = json.loads((result.folder / "run.json").read_text("utf-8"))
    record = Record.model_validate(written)
    assert record.model_dump() == {key: written[key] for key in Record.model_fields}
    assert record.status == "finished"
    assert not has_state(result.folder)


def test_what_older_versions_did_not_write_has_a_default() -> None:
    record = Record.model_validate(LEAST)
    assert (record.state, record.resumed) == (None, [])
    assert record.seconds == {"total": 1.5}


@pytest.mark.parametrize("key", sorted(Record.model_fields.keys() - {"state", "resumed"}), ids=str)
def test_what_resuming_needs_must_be_there(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        Record.model_validate({name: value for name, value in LEAST.items() if name != key})


@pytest.mark.parametrize(
    ("key", "value"), [("status", 3), ("notes", "a"), ("seconds", {"total": "long"}), ("spec", [])]
)
def test_what_is_of_another_type_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        Record.model_validate({**LEAST, key: value})
