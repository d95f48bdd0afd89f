"""The published networks that can be loaded by name."""

from __future__ import annotations

from dataclasses import dataclass

from instyle_core import Weights
from instyle_core.hub import hub_weights


@dataclass(frozen=True)
class Model:
    """A network on the hub, at one commit for good.

    Attributes:
        repository: its name there.
        revision: the commit.
        weights: its file of weights.
    """

    repository: str
    revision: str
    weights: Weights


def _model(
    name: str, repository: str, revision: str, sha256: str, megabytes: float, summary: str
) -> Model:
    weights = hub_weights(
        repository,
        revision,
        name=name,
        sha256=sha256,
        megabytes=megabytes,
        licence="Apache-2.0",
        summary=summary,
    )
    return Model(repository, revision, weights)


#: By name. The small files that describe a network come from the same commit.
PUBLISHED: dict[str, Model] = {
    # The main branch has nothing but pickles: this is the conversion of the same weights to
    # safetensors that is proposed to it.
    "dpt-hybrid-midas": _model(
        "dpt-hybrid-midas",
        "Intel/dpt-hybrid-midas",
        "17fb43d4437eb62c260a593400db13c22b04511a",
        "9599793d3ce64d7ebc85657360831596c1df9abc61f6820fe623fe7efb2e29c5",
        490,
        "MiDaS 3.0, DPT-Hybrid: a ViT-B on a ResNet-50, trained on 1.4 million pictures.",
    ),
    "dpt-large": _model(
        "dpt-large",
        "Intel/dpt-large",
        "bc15f29aa3a80d532f2ed650b5e16ac48d8958f9",
        "c173e7fd575c4d6c2164621063fed3a0e7e2eb6adbfb7c1845b364bc0fed9ce8",
        1367.5,
        "MiDaS 3.0, DPT-Large: a ViT-L, trained on 1.4 million pictures; the paper's.",
    ),
    "depth-anything-v2-small": _model(
        "depth-anything-v2-small",
        "depth-anything/Depth-Anything-V2-Small-hf",
        "5426e4f0f36572d16453bbda7a8389317b1bef99",
        "3152477ce0d8d6978d76b995120de97cb5b928701fd0f817769f59e249a16b70",
        99.2,
        "Depth Anything V2 Small: a ViT-S, taught by a large network on 62 million photos.",
    ),
}
