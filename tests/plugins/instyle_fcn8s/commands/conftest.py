"""A small VOC, a training on it that is over, and a network that has learned nothing."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch

from instyle_core.cli import main
from instyle_fcn8s import checkpoint
from instyle_fcn8s.network import FCN
from tests.core.helpers.commands import Done
from tests.plugins.instyle_fcn8s.commands.trainings import options
from tests.plugins.instyle_training.shapes import write_voc
from tests.plugins.instyle_training.trainings import TINY


@pytest.fixture(scope="session")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc(tmp_path_factory.mktemp("data"), train=9, val=3)


@pytest.fixture(scope="session")
def trained(voc: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A training that is over, and what it printed."""
    folder, printed = tmp_path_factory.mktemp("trained") / "a" / "b", io.StringIO()
    with redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        main(options(voc, folder))
    return folder, Done(int(ended.value.code or 0), printed.getvalue(), "")


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learned nothing, and finds all classes anywhere."""
    torch.manual_seed(0)
    network = FCN(("background", "dog", "cat"), encoder=TINY)
    with torch.no_grad():
        for layer in network.score.values():
            layer.weight *= 30
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    checkpoint.save(path, network)
    return path
