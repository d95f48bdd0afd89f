"""Style pictures: what of a file is a style."""

from __future__ import annotations

from torch import Tensor

from instyle_core.errors import InputError
from instyle_core.images.picture import Picture
from instyle_core.painting.crop import continued

#: Pixels of less opacity do not count.
_OPAQUE = 0.5


def style_of(picture: Picture) -> tuple[Tensor, tuple[str, ...]]:
    """The pixels of a style picture, without what is transparent in it.

    The picture is cut to the smallest box around all that is opaque, by at least a half. What is
    transparent in that box gets the colors of the opaque part, which goes on into it as in a mirror
    (`continued`); the colors that a file hides there may be anything.

    Returns:
        The style, (3, h, w), and notes for the user.

    Raises:
        InputError: nothing of the picture is opaque.
    """
    alpha = picture.alpha
    if alpha is None or bool((alpha == 1).all()):
        return picture.pixels, ()
    opaque = (alpha >= _OPAQUE).float()
    if not opaque.any():
        raise InputError(
            "nothing of this style picture is opaque",
            where=str(picture.path),
            hint="save it without transparency",
        )
    rows, columns = (opaque[0].any(dim=side).nonzero()[:, 0] for side in (1, 0))
    box = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    inside = opaque[box]
    filled = continued(picture.pixels[box], inside, 1 - inside)
    return filled, ("the transparent part of this style picture does not count",)
