"""Small depth networks with random weights, in the form in which real ones are published."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTConfig,
    DPTForDepthEstimation,
    DPTImageProcessor,
)

from instyle_midas.midas import Midas
from instyle_midas.params import MidasParams

#: What `save` writes.
FILES = ["config.json", "model.safetensors", "preprocessor_config.json"]

_SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 64,
    "patch_size": 16,
    "backbone_out_indices": [0, 1, 2, 3],
    "neck_hidden_sizes": [16, 16, 32, 32],
    "fusion_hidden_size": 32,
}


def dpt() -> nn.Module:
    """As DPT-Large, for 64x64 pixels."""
    return _tuned(DPTForDepthEstimation, DPTConfig(**_SHAPE))


def hybrid() -> nn.Module:
    """As DPT-Hybrid, for 64x64 pixels: a transformer on a convolutional network."""
    backbone = {
        "model_type": "bit",
        "global_padding": "same",
        "layer_type": "bottleneck",
        "depths": [1, 1, 1],
        "hidden_sizes": [16, 16, 32],
        "embedding_size": 8,
        "num_groups": 2,
        "out_features": ["stage1", "stage2", "stage3"],
        "embedding_dynamic_padding": True,
    }
    own = {"reassemble_factors": [1, 1, 1, 0.5], "backbone_featmap_shape": [1, 32, 4, 4]}
    config = DPTConfig(is_hybrid=True, backbone_config=backbone, **own, **_SHAPE)
    return _tuned(DPTForDepthEstimation, config)


def depth_anything(kind: str = "relative") -> nn.Module:
    """As Depth Anything V2, for 56 pixels a side and patches of 14."""
    backbone = Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=10,
    )
    return _tuned(DepthAnythingForDepthEstimation, config)


def processor(**settings: Any) -> DPTImageProcessor:
    """As published with DPT, for 64x64 pixels."""
    usual: dict[str, Any] = {
        "size": {"height": 64, "width": 64},
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    return DPTImageProcessor(**{**usual, **settings})


#: As published with Depth Anything V2, for 56 pixels a side.
ANYTHING: dict[str, Any] = {
    "size": {"height": 56, "width": 56},
    "keep_aspect_ratio": True,
    "ensure_multiple_of": 14,
    "resample": 3,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def save(folder: Path, network: nn.Module, **settings: Any) -> Path:
    """Write a network and its processor as transformers does."""
    network.save_pretrained(folder, safe_serialization=True)  # type: ignore[operator]
    processor(**settings).save_pretrained(folder)
    assert {*FILES} <= {*os.listdir(folder)}
    return folder


def extractor(folder: Path) -> Midas:
    return Midas(MidasParams(model=str(folder)))


def depth(network: nn.Module, pixels: Tensor) -> Tensor:
    """What a network predicts, (N, 1, h, w), by transformers alone."""
    with torch.no_grad():
        return network(pixel_values=pixels).predicted_depth[:, None]


def _tuned(kind: Any, config: Any) -> nn.Module:
    """With weights that let a picture through, and a map that is clear of the last ReLU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = kind(config).eval()
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=(1.5 / module.weight[0].numel()) ** 0.5)
        pixels = torch.randn(2, 3, 112, 112) if "anything" in config.model_type else None
        pixels = torch.randn(2, 3, 64, 64) if pixels is None else pixels
        last = [m for m in network.get_submodule("head").modules() if isinstance(m, nn.Conv2d)][-1]
        seen: list[Tensor] = []
        hook = last.register_forward_hook(lambda *arguments: seen.append(arguments[2].detach()))
        depth(network, pixels)
        hook.remove()
        with torch.no_grad():
            assert last.bias is not None
            last.bias -= seen[0].mean() / seen[0].std()
            last.bias += 10
            last.weight /= seen[0].std()
    return network
