"""Downloads that arrive whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from instyle_core.errors import WeightsError
from instyle_core.files import atomic_write
from instyle_core.weights.cache import CACHE_VARIABLE

if TYPE_CHECKING:
    import requests

#: Called with the bytes so far, and the bytes in all (None if the server does not tell). A download
#: that breaks off starts again from 0.
OnProgress = Callable[[int, int | None], None]

_TIMEOUT_S = 30.0  # without any data
_PAUSES_S = (1.0, 3.0)  # before the second and the third attempt
_CHUNK_BYTES = 2**18


def not_as_published(name: str, what: str, where: str, hint: str) -> WeightsError:
    """The error that says how a file differs from the published one."""
    return WeightsError(
        f"this is not the file '{name}' that was published: {what}", where=where, hint=hint
    )


def download(
    name: str,
    url: str,
    target: Path,
    check: Callable[[Path], None],
    on_progress: OnProgress | None,
    *,
    megabytes: float,
) -> Path:
    """Download to `target`; try again where that may help, so not after a wrong hash or a 404.

    Args:
        name: what messages call it.
        url: from where.
        target: to where.
        check: raises `WeightsError` if a file is not the published one.
        on_progress: called as the download goes on.
        megabytes: about how large it is, in 10^6 bytes.

    Raises:
        WeightsError: it could not be downloaded or stored, or is not what was published.
    """
    import requests

    pauses = iter(_PAUSES_S)
    while True:
        try:
            _attempt(url, target, check, on_progress)
        except requests.RequestException as error:
            refused = error.response is not None and error.response.status_code < 500
            pause = next(pauses, None)
            if refused or pause is None:
                raise WeightsError(
                    f"the weights '{name}' could not be downloaded: {_reason(error)}",
                    where=url,
                    hint=by_hand(target),
                ) from error
            time.sleep(pause)
        except OSError as error:
            raise WeightsError(
                f"the weights '{name}' ({megabytes:g} MB) from {url} could not be stored: "
                f"{error.strerror}",
                where=str(target),
                hint=f"make room there, or set {CACHE_VARIABLE} to a folder that can be written to",
            ) from error
        else:
            return target


def _attempt(
    url: str, target: Path, check: Callable[[Path], None], on_progress: OnProgress | None
) -> None:
    import pooch

    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as part:
        with part.open("wb") as file:
            progress = _Progress(file, on_progress) if on_progress else False
            download = pooch.HTTPDownloader(progress, chunk_size=_CHUNK_BYTES, timeout=_TIMEOUT_S)
            download(url, file, None)
        check(part)


class _Progress:
    """A progress bar in the form that pooch wants.

    It reports the size of the file so far: pooch passes the bytes that it asked for, not those that
    came.
    """

    total = 0  # set by pooch; it stays 0 if the server does not tell

    def __init__(self, file: IO[bytes], report: OnProgress) -> None:
        self._file = file
        self._report = report

    def update(self, _: int) -> None:
        self._report(self._file.tell(), self.total or None)

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


def by_hand(target: Path) -> str:
    """The hint after a download that failed."""
    return f"try again later, or save it by other means as {target}"


def _reason(error: requests.RequestException) -> str:
    """The cause in few words: requests wraps an error of urllib3, which wraps the system's."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    return str(getattr(next(iter(error.args), None), "reason", error))
