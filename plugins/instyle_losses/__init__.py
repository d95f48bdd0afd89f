"""The losses ``transport``, ``palette``, ``self-similarity``, ``content``, ``style`` and others.

Each is measured over the object only, weighted by its mask, and by default relative to the energy
of what it is compared with. So a weight of 1 is about equally strong for each of them, for any size
of picture and any network.
"""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_losses.params import (
        ContentParams,
        LaplacianParams,
        PaletteParams,
        SelfSimilarityParams,
        StyleParams,
        TransportParams,
        TVParams,
    )

    return [
        Plugin(
            kind="loss",
            name="content",
            params=ContentParams,
            factory="instyle_losses.content:ContentLoss",
            summary="Keeps what the photo shows: its feature maps.",
            source="Gatys, Ecker and Bethge 2016, equation 1",
        ),
        Plugin(
            kind="loss",
            name="style",
            params=StyleParams,
            factory="instyle_losses.style:StyleLoss",
            summary="Takes on colors and brushwork: the painting's Gram matrices.",
            source="Gatys, Ecker and Bethge 2016, equations 3 to 5",
        ),
        Plugin(
            kind="loss",
            name="laplacian",
            params=LaplacianParams,
            factory="instyle_losses.laplacian:LaplacianLoss",
            summary="Keeps the photo's edges (Laplacian-steered).",
            source="Li et al. 2017, arXiv:1707.01253; Zhao and Zhang, section on style transfer",
        ),
        Plugin(
            kind="loss",
            name="tv",
            params=TVParams,
            factory="instyle_losses.tv:TVLoss",
            summary="Smooths noise: the total variation of the picture.",
            source="Rudin, Osher and Fatemi 1992; Mahendran and Vedaldi 2015, arXiv:1412.0035",
        ),
        Plugin(
            kind="loss",
            name="transport",
            params=TransportParams,
            factory="instyle_losses.transport:TransportLoss",
            summary="Takes on colors and brushwork: all of the painting's feature vectors.",
            source="Heitz et al. 2021, arXiv:2006.07229; Kolkin et al. 2019, arXiv:1904.12785",
        ),
        Plugin(
            kind="loss",
            name="palette",
            params=PaletteParams,
            factory="instyle_losses.palette:PaletteLoss",
            summary="Takes on the painting's colors, each in its share.",
            source="Kolkin, Salavon and Shakhnarovich 2019, arXiv:1904.12785, equation 7",
        ),
        Plugin(
            kind="loss",
            name="self-similarity",
            params=SelfSimilarityParams,
            factory="instyle_losses.self_similarity:SelfSimilarityLoss",
            summary="Keeps what the photo shows: which of its parts are alike.",
            source="Kolkin, Salavon and Shakhnarovich 2019, arXiv:1904.12785, equation 8",
        ),
    ]
