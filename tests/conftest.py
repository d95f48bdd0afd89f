"""What holds for all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

# A shell starts jobs in the background with SIGINT ignored. The processes that tests start and
# interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _no_test_uses_the_cache_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Downloads and sums of style pictures go to a folder of the tests, in child processes too.

    Weights that ship with a package are found there, whatever the cache folder is.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTYLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
