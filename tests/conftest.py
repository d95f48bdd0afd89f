"""What holds for all tests, and the fixtures that they share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from instyle_core.cli import main
from tests.core.helpers.commands import Command, Done
from tests.core.helpers.hub import Hub, hub_of_this_machine
from tests.core.helpers.site import Site
from tests.core.helpers.studio import Studio
from tests.core.helpers.weights_server import WeightsServer

# pymatting, which some tests compare with, would be compiled for a minute.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

# On a loaded machine, an example may take any time.
hypothesis.settings.register_profile("instyle", deadline=None)
hypothesis.settings.load_profile("instyle")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Each test, and each process that it starts, begins with Ctrl-C as a program does.

    A shell starts jobs in the background with SIGINT ignored. A worker of the studio that has
    painted in this process leaves it so, and Lightning listens to the first one alone.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _no_test_uses_the_cache_or_the_settings_of_the_user(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Downloads and sums of style pictures go to a folder of the tests, in child processes too.

    Weights that ship with a package are found there, whatever the cache folder is.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTYLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_test_waits_for_the_disk() -> Iterator[None]:
    """What is there after a power cut is more than a test can see; that it is asked for is tested.

    Runs that save after each step would wait for the disk a tenth of their time.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A folder in which the toy plugin is at work."""
    return Studio.open(tmp_path, monkeypatch)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder in which made-up distributions are installed."""
    with Site.open(tmp_path / "site", monkeypatch) as opened:
        yield opened


@pytest.fixture
def instyle(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process. There is no terminal, whatever the tests run in."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Done(int(caught.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder; and no waiting between attempts."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("INSTYLE_CACHE", str(folder))
    for name in ("INSTYLE_OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("instyle_core.weights.download._PAUSES_S", (0, 0))
    return folder


@pytest.fixture
def server(cache: Path) -> Iterator[WeightsServer]:
    server = WeightsServer()
    yield server
    server.close()


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_of_this_machine(monkeypatch) as hub:
        yield hub
