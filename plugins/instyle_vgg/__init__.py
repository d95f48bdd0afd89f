"""The feature extractor ``vgg19``: the network of the paper, and of Gatys et al. before it."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_vgg.params import VGG19Params
    from instyle_vgg.weights import IMAGENET1K_V1, OXFORD

    return [
        Plugin(
            kind="extractor",
            name="vgg19",
            params=VGG19Params,
            factory="instyle_vgg.vgg19:VGG19",
            summary="VGG-19: all convolutions and ReLUs; its weights ship with instyle.",
            weights=(OXFORD, IMAGENET1K_V1),
            source="Simonyan and Zisserman 2015, arXiv:1409.1556",
        )
    ]
