import platform

import pytest
import torch

from instyle_batch.engines.versions import check_versions, versions
from instyle_core import InputError
from tests.core.helpers.studio import Studio


def test_python_torch_and_what_brings_plugins_have_versions(studio: Studio):
    found = versions()
    assert found["Python"] == ".".join(platform.python_version_tuple()[:2])
    assert found["torch"] == torch.__version__.partition("+")[0]
    assert found["instyle-toy"] == "1.0"
    assert "instyle" in found


def test_the_same_versions_are_fine():
    check_versions(dict(versions()), "node-7")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"torch": "1.0"}, "not 1.0"),
        ({"instyle-sepia": "2.0"}, "instyle-sepia is missing, not 2.0"),
    ],
)
def test_other_versions_are_refused(change: dict[str, str], words: str):
    with pytest.raises(InputError, match=words) as caught:
        check_versions({**versions(), **change}, "node-7")
    assert caught.value.where == "node-7"


def test_what_only_the_worker_has_is_refused():
    expected = dict(versions())
    del expected["torch"]
    with pytest.raises(InputError, match=r"torch .*, not there"):
        check_versions(expected, "node-7")
