"""One request for a file, or for the rest of it; and what its failure means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any

from instyle_core.errors import first_line

if TYPE_CHECKING:
    import requests

_TIMEOUT_S = 30.0  # without any data
_CHUNK_BYTES = 2**16  # a connection that breaks loses less than one

#: Refusals of a moment, besides those of 500 and more.
_FOR_NOW = (408, 429)

#: They name files or folders of certificates.
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Broken(Exception):
    """A file did not arrive; the message says why.

    Attributes:
        is_final: whether trying again would be of no use.
        hint: what to do, if it is known.
    """

    def __init__(self, why: str, *, is_final: bool = False, hint: str = "") -> None:
        super().__init__(why)
        self.is_final = is_final
        self.hint = hint


def receive(
    url: str, file: IO[bytes], on_progress: Callable[[int, int | None], None] | None
) -> None:
    """Append to a file what is missing of it.

    A server that cannot do this sends all of it, and the file starts anew. Nothing is asked about
    whether the file at the server is still the same, since its hash is checked in the end.

    Raises:
        Broken: it did not arrive. What did is in the file.
        OSError: it cannot be stored.
    """
    start = file.tell()
    # No compression: the range is one of the file itself.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with _ask(url, headers) as response:
        if start and response.status_code == 416:
            return  # nothing is missing, or the server has less; the hash tells
        if response.status_code >= 400:
            raise _refused(response)
        if response.status_code == 206:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                start_anew(file)
                raise Broken("the server sent another part of the file than was asked for")
        elif start:
            start_anew(file)
        told = response.headers.get("Content-Length", "")
        total = file.tell() + int(told) if re.fullmatch(r"[0-9]{1,18}", told) else None
        if "Content-Encoding" in response.headers:
            total = None  # it is that of the compressed file
        for chunk in _chunks(url, response):
            file.write(chunk)
            if on_progress:
                on_progress(file.tell(), total)
        if total is not None and file.tell() < total:  # older versions of urllib3 do not mind
            raise Broken(f"IncompleteRead: {file.tell()} bytes of {total}")


def start_anew(file: IO[bytes]) -> None:
    """Empty a file."""
    file.truncate(0)
    file.seek(0)


def _ask(url: str, headers: dict[str, str]) -> requests.Response:
    import requests

    def ask(auth: Any = None) -> requests.Response:
        try:
            return requests.get(url, headers=headers, auth=auth, stream=True, timeout=_TIMEOUT_S)
        except Exception as error:  # of several libraries: also ValueError and bare OSError
            raise broken(error, url) from error

    response = ask()
    if response.status_code in (401, 403) and (token := _hub_token(url)):
        response.close()
        # As `auth`, requests does not pass it on to another host that the hub leads to.
        response = ask(lambda request: _with(request, token))
    return response


def _with(request: requests.PreparedRequest, token: str) -> requests.PreparedRequest:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _chunks(url: str, response: requests.Response) -> Iterator[bytes]:
    chunks = response.iter_content(_CHUNK_BYTES)
    while True:
        try:
            chunk = next(chunks, None)
        except Exception as error:
            raise broken(error, url) from error
        if chunk is None:
            return
        yield chunk


def _is_of_hub(url: str) -> bool:
    from huggingface_hub import constants

    return url.startswith(f"{constants.ENDPOINT}/")


def _hub_token(url: str) -> str | None:
    """The token that the user has for the hub, if the file is there."""
    if not _is_of_hub(url):
        return None
    from huggingface_hub import get_token

    try:
        return get_token()
    except Exception:  # it is kept in a file, which may be unreadable
        return None


def hint_for(status: int | None, url: str) -> str:
    """What to do about a refusal of the hub; empty if that is unknown.

    Args:
        status: that of the answer.
        url: of the file.
    """
    if status not in (401, 403) or not _is_of_hub(url):
        return ""
    page = url.partition("/resolve/")[0]
    return f"accept the terms at {page}, and run `hf auth login` or set HF_TOKEN"


def _refused(response: requests.Response) -> Broken:
    status = response.status_code
    asked = (response.history or [response])[0].url
    return Broken(
        f"the server answered {status} {response.reason}",
        is_final=status < 500 and status not in _FOR_NOW,
        hint=hint_for(status, asked),
    )


def broken(error: Exception, url: str) -> Broken:
    """What it means that a request failed, with what may be wrong in the environment.

    Args:
        error: of whichever library.
        url: that was asked for.
    """
    import requests

    # requests wraps an error of urllib3, which wraps the system's.
    reason = getattr(next(iter(error.args), None), "reason", None)
    told = ": ".join(map(str, reason.args)) if isinstance(reason, Exception) else first_line(error)
    wrong = suspects(url)
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return Broken(
        "; ".join([told, *wrong]),
        is_final=not isinstance(error, passing),
        hint="check that variable" if wrong else "",
    )


def suspects(url: str) -> list[str]:
    """Variables that may be why no connection is made: certificates, proxies, the hub's address.

    Args:
        url: that was asked for.
    """
    found = [
        f"{name}={value} names no file"
        for name in _CERTIFICATES
        if (value := os.environ.get(name)) and not os.path.exists(value)
    ]
    scheme = url.partition("://")[0]
    found += [
        # Without the password that may be in it.
        f"the proxy is that of {name}: {re.sub('//.*@', '//', value)}"
        for name, value in os.environ.items()
        if name.lower() in (f"{scheme}_proxy", "all_proxy") and value and not _is_bypassed(url)
    ]
    hub = os.environ.get("HF_ENDPOINT")
    if hub and url.startswith(hub.rstrip("/")) and not re.match("https?://[^/]", hub):
        found.append(f"HF_ENDPOINT={hub} is no address such as https://huggingface.co")
    return found


def _is_bypassed(url: str) -> bool:
    import requests

    try:
        return requests.utils.should_bypass_proxies(url, no_proxy=None)
    except ValueError:
        return False
