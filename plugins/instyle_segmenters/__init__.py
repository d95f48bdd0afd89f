"""Segmenters: ``mask``, ``grabcut``, ``snake``, ``region``, ``torchvision`` and ``smp``."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_segmenters import params
    from instyle_segmenters.weights import PUBLISHED

    return [
        Plugin(
            kind="segmenter",
            name="mask",
            params=params.MaskParams,
            factory="instyle_segmenters.mask:MaskSegmenter",
            summary="A mask of your own, from a picture file.",
        ),
        Plugin(
            kind="segmenter",
            name="grabcut",
            params=params.GrabCutParams,
            factory="instyle_segmenters.grabcut:GrabCut",
            summary="Cuts out what a box or a point marks, by color and edges; needs no weights.",
            source="Rother, Kolmogorov and Blake 2004, GrabCut",
        ),
        Plugin(
            kind="segmenter",
            name="snake",
            params=params.SnakeParams,
            factory="instyle_segmenters.snake:Snake",
            summary="A contour that moves from a box to the object's edge; needs no weights.",
            source="Márquez-Neila, Baumela and Álvarez 2014, morphological snakes; Chan and Vese "
            "2001; Caselles, Kimmel and Sapiro 1997",
        ),
        Plugin(
            kind="segmenter",
            name="region",
            params=params.RegionParams,
            factory="instyle_segmenters.region:Region",
            summary="Grows a region from a point, by random walks or by color; needs no weights.",
            source="Grady 2006, random walks; Adams and Bischof 1994, seeded region growing",
        ),
        Plugin(
            kind="segmenter",
            name="torchvision",
            params=params.TorchvisionParams,
            factory="instyle_segmenters.torchvision_model:Torchvision",
            summary="FCN, DeepLabV3, LR-ASPP and Mask R-CNN of torchvision; weights by download.",
            weights=tuple(PUBLISHED.values()),
            source="Long et al. 2015; Chen et al. 2017, arXiv:1706.05587; Howard et al. 2019, "
            "arXiv:1905.02244; He et al. 2017, arXiv:1703.06870",
        ),
        Plugin(
            kind="segmenter",
            name="smp",
            params=params.SmpParams,
            factory="instyle_segmenters.smp_model:Smp",
            summary="Any network of segmentation-models-pytorch, with weights of your own or from "
            "huggingface.co.",
            source="P. Iakubovskii, segmentation_models_pytorch",
        ),
    ]
