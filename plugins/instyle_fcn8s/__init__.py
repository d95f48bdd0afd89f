"""The segmenter ``fcn8s``: the fully convolutional network of the paper."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_fcn8s.params import FCN8sParams

    return [
        Plugin(
            kind="segmenter",
            name="fcn8s",
            params=FCN8sParams,
            factory="instyle_fcn8s.segmenter:FCN8s",
            summary="The paper's FCN-8s on ResNet-34; needs a file of trained weights for now.",
            source="Zhao and Zhang, section on segmentation; Long et al. 2015, arXiv:1411.4038",
        )
    ]
