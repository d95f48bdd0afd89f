"""How much a request may bring, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of a server.

    Attributes:
        upload_bytes: of a picture's file.
        megapixels: of a picture, in 10^6 pixels, by its header.
        json_bytes: of JSON and YAML.
        seconds: to wait for the next bytes of a request's body.
        shown: the long side, in pixels, of pictures as the page shows them.
        thumbnail: the long side of thumbnails.
    """

    upload_bytes: int = 200_000_000
    megapixels: float = 100.0
    json_bytes: int = 1_000_000
    seconds: float = 20.0
    shown: int = 1600
    thumbnail: int = 320
