"""The segmenter ``fcn8s``: the fully convolutional network of the paper."""

from __future__ import annotations

import click

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_fcn8s.params import FCN8sParams
    from instyle_fcn8s.weights import ANIMALS

    return [
        Plugin(
            kind="segmenter",
            name="fcn8s",
            params=FCN8sParams,
            factory="instyle_fcn8s.segmenter:FCN8s",
            summary="The paper's FCN-8s; as it ships, finds cat, cow, dog, horse, person, sheep.",
            weights=(ANIMALS,),
            source="Zhao and Zhang, section on segmentation; Long et al. 2015, arXiv:1411.4038",
        )
    ]


@hookimpl
def instyle_commands() -> list[click.Command]:
    from instyle_fcn8s.commands import fcn8s

    return [fcn8s]
