"""The segmenter ``salient``: what stands out in a photo, without being told."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_salient.models import MODELS
    from instyle_salient.params import SalientParams

    return [
        Plugin(
            kind="segmenter",
            name="salient",
            params=SalientParams,
            factory="instyle_salient.salient:Salient",
            summary="What stands out, without a click: U2-Net, IS-Net and BiRefNet; weights by "
            "download.",
            weights=tuple(model.weights for model in MODELS.values()),
            source="Qin et al. 2020, arXiv:2005.09007; Qin et al. 2022, arXiv:2203.03041; Zheng et "
            "al. 2024, arXiv:2401.03407",
        )
    ]
