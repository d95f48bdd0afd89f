"""The published networks that can be loaded by name."""

from __future__ import annotations

from functools import partial

from instyle_core import hub_weights

#: The files of a network of transformers: its description, its preprocessing, its weights.
CONFIG, PREPROCESSOR, STATE = "config.json", "preprocessor_config.json", "model.safetensors"

_weights = partial(hub_weights, license="Apache-2.0", file=STATE, beside=(CONFIG, PREPROCESSOR))

#: By name; each is pinned to one commit.
PUBLISHED = {
    # The main branch has only pickles. This commit is a pull request with the same weights as
    # safetensors.
    "dpt-hybrid-midas": _weights(
        "Intel/dpt-hybrid-midas",
        "17fb43d4437eb62c260a593400db13c22b04511a",
        name="dpt-hybrid-midas",
        sha256="9599793d3ce64d7ebc85657360831596c1df9abc61f6820fe623fe7efb2e29c5",
        megabytes=490,
        summary="MiDaS 3.0, DPT-Hybrid: a ViT-B on a ResNet-50, trained on 1.4 million pictures.",
    ),
    "dpt-large": _weights(
        "Intel/dpt-large",
        "bc15f29aa3a80d532f2ed650b5e16ac48d8958f9",
        name="dpt-large",
        sha256="c173e7fd575c4d6c2164621063fed3a0e7e2eb6adbfb7c1845b364bc0fed9ce8",
        megabytes=1367.5,
        summary="MiDaS 3.0, DPT-Large: a ViT-L, trained on 1.4 million pictures; the paper's.",
    ),
    "depth-anything-v2-small": _weights(
        "depth-anything/Depth-Anything-V2-Small-hf",
        "5426e4f0f36572d16453bbda7a8389317b1bef99",
        name="depth-anything-v2-small",
        sha256="3152477ce0d8d6978d76b995120de97cb5b928701fd0f817769f59e249a16b70",
        megabytes=99.2,
        summary="Depth Anything V2 Small: a ViT-S, taught by a large network on 62 million photos.",
    ),
}
