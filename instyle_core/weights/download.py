"""Downloads that arrive whole, in however many parts, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from instyle_core.errors import WeightsError
from instyle_core.files import remove_leftovers
from instyle_core.locks import try_lock
from instyle_core.weights import connection
from instyle_core.weights.cache import CHOOSE_A_FOLDER

#: Called with the bytes so far, and the bytes in all (None if the server does not tell). A download
#: that breaks off goes on where it stopped, or from 0 if the server cannot do that.
OnProgress = Callable[[int, int | None], None]

_PAUSES_S = (1.0, 3.0)  # before the second and the third attempt that bring nothing new

_POLL_S = 0.2  # while another process downloads the file


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
    digest: str,
    megabytes: float,
) -> Path:
    """Download to `target`; try again where that may help, so not after a wrong hash or a 404.

    What has arrived is kept in a ``.part`` file beside the target, so that the next attempt, or the
    next run, goes on from there. Its name has the hash of the whole, and the hash is what decides
    in the end: a file that was put together from several answers, and is wrong, is thrown away and
    downloaded once more in one piece. Processes that download the same file wait for one another.

    Args:
        name: what messages call it.
        url: from where.
        target: to where; a file that is there and is the published one is left alone.
        check: raises `WeightsError` if a file is not the published one.
        on_progress: called as the download goes on.
        digest: the hash of the published file, or its beginning.
        megabytes: about how large it is, in 10^6 bytes.

    Raises:
        WeightsError: it could not be downloaded or stored, or is not what was published.
    """
    place = Path(os.path.realpath(target))  # a link is written through
    part = place.with_name(f"{place.name}.{digest[:16]}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone_with(part, on_progress) as file:
            remove_leftovers(place.parent)
            if _is_published(place, check):  # by now: another process was faster
                part.unlink()
                return target
            try:
                _complete(file, url, part, check, on_progress)
                os.replace(part, place)
            except connection.Broken as broken:
                if not file.tell():
                    part.unlink()
                raise WeightsError(
                    f"the weights '{name}' could not be downloaded: {broken}",
                    where=url,
                    hint=f"{broken.hint}, or {by_hand(target)}" if broken.hint else by_hand(target),
                ) from broken
            except OSError:
                part.unlink(missing_ok=True)  # gives room back, which others may need
                raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise WeightsError(
            f"the weights '{name}' ({megabytes:g} MB) from {url} could not be stored: "
            f"{error.strerror or error}",
            where=str(target),
            hint=f"make room there, or {CHOOSE_A_FOLDER}" if full else CHOOSE_A_FOLDER,
        ) from error
    return target


@contextlib.contextmanager
def _alone_with(part: Path, on_progress: OnProgress | None) -> Iterator[IO[bytes]]:
    """An unfinished file, opened; another process that is at work on it is waited for."""
    while True:
        with part.open("ab") as file:
            _lock(file, on_progress)
            if _is_still(part, file):  # else the other process has finished it, or thrown it away
                os.utime(part)  # it is no leftover
                yield file
                return


def _lock(file: IO[bytes], on_progress: OnProgress | None) -> None:
    while try_lock(file.fileno()) is False:
        if on_progress:
            on_progress(os.fstat(file.fileno()).st_size, None)
        time.sleep(_POLL_S)


def _is_still(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _is_published(path: Path, check: Callable[[Path], None]) -> bool:
    try:
        check(path)
    except (OSError, WeightsError):
        return False
    return True


def _complete(
    file: IO[bytes],
    url: str,
    part: Path,
    check: Callable[[Path], None],
    on_progress: OnProgress | None,
) -> None:
    """Bring what is missing, until the file is the published one.

    Raises:
        Broken: the connection, again and again.
        WeightsError: it is another file.
        OSError: it cannot be stored.
    """
    pauses, farthest, again = iter(_PAUSES_S), file.tell(), True
    in_pieces = False
    while True:
        in_pieces |= file.tell() > 0
        try:
            connection.receive(url, file, on_progress)
            file.flush()
        except connection.Broken as broken:
            if file.tell() > farthest:
                pauses, farthest = iter(_PAUSES_S), file.tell()
            pause = next(pauses, None)
            if broken.is_final or pause is None:
                raise
            time.sleep(pause)
            continue
        try:
            check(part)
            return
        except WeightsError:
            if not (in_pieces and again):
                part.unlink()
                raise
        connection.start_anew(file)
        farthest, again, in_pieces = 0, False, False


def by_hand(target: Path) -> str:
    """The hint after a download that failed."""
    return f"try again later, or save it by other means as {target}"
