"""How the result of a run shows itself in a notebook."""

from __future__ import annotations

import base64
import html
import math
from pathlib import Path

import numpy as np

from instyle_core.errors import InputError
from instyle_core.images.encoding import encode
from instyle_core.images.picture import read_picture
from instyle_core.images.samples import quantize

#: The long side of the pictures that are shown, in pixels.
LONGEST = 384


def gallery(content: Path, output: Path, folder: Path) -> str:
    """Before, after, and the masks of the objects, side by side, as HTML.

    The pictures are small copies within the text, so that a saved notebook keeps them. One that is
    not there any more, or cannot be read, is left out.

    Args:
        content: the photo.
        output: what was made of it.
        folder: the run folder, which has the masks.
    """
    pictures = {"before": content, "after": output}
    pictures |= {mask.parent.name: mask for mask in sorted(folder.glob("object-*/mask.png"))}
    figures = (_figure(caption, path) for caption, path in pictures.items() if path.is_file())
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(figures)}</div>'


def _figure(caption: str, path: Path) -> str:
    try:
        picture = read_picture(path, max_megapixels=math.inf, longest=LONGEST)
    except InputError:
        return ""
    samples = quantize(picture.pixels, np.uint8)
    if picture.alpha is not None:
        samples = np.concatenate([samples, quantize(picture.alpha, np.uint8)], axis=2)
    encoded, _ = encode(samples, "PNG")
    data = base64.b64encode(encoded).decode()
    text = html.escape(caption)
    return (
        f'<figure style="margin:0"><img src="data:image/png;base64,{data}" alt="{text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )
