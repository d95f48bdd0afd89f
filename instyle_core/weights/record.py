"""The record by which a plugin announces one file of weights."""

from __future__ import annotations

import re
from dataclasses import InitVar, dataclass


@dataclass(frozen=True)
class Weights:
    """One file of weights, which either ships with an installed package or has a URL.

    Attributes:
        name: what ``instyle models`` calls it, such as ``vgg19-imagenet1k_v1``.
        file: its name in the cache folder, or its path inside the package.
        sha256: 64 hexadecimal digits, or at least the first 8 if the publisher tells no more.
        megabytes: about how large it is, in 10^6 bytes.
        license: under which it may be used.
        summary: one line: which network, trained on what.
        url: where it is downloaded from.
        package: the top-level package that ships it; it is never imported to find the file.
        beside: small files on the hub that come along, each as `fetch_from_hub` takes it:
            repository, file and revision.
        licence: what 0.1.0 called `license`; accepted still.

    Raises:
        ValueError: ``sha256`` is no hash, or there is not exactly one of ``url`` and ``package``.
    """

    name: str
    file: str
    sha256: str
    megabytes: float
    license: str = ""
    summary: str = ""
    url: str | None = None
    package: str | None = None
    beside: tuple[tuple[str, str, str], ...] = ()
    licence: InitVar[str | None] = None

    def __post_init__(self, licence: str | None) -> None:
        if licence is not None:
            object.__setattr__(self, "license", licence)
        if not re.fullmatch("[0-9a-f]{8,64}", self.sha256):
            raise ValueError(f"sha256 of '{self.name}': not 8 to 64 lower-case hexadecimal digits")
        if (self.url is None) == (self.package is None):
            raise ValueError(f"'{self.name}' needs either a url or a package")
