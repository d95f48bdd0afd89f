"""Small networks with random weights, in the form in which real ones are published."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertTokenizer,
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    CLIPTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    Sam2Config,
    Sam2ImageProcessor,
    Sam2Model,
    Sam2VideoConfig,
    Sam2VideoModel,
    SamConfig,
    SamImageProcessor,
    SamModel,
    SwinConfig,
    ViTImageProcessor,
)

#: The side of the square that the small SAMs see.
SIDE = 64

_DECODER = {
    "hidden_size": 16,
    "mlp_dim": 32,
    "num_attention_heads": 2,
    "iou_head_hidden_dim": 16,
}


def sam() -> nn.Module:
    """As sam-vit-base, for 64x64 pixels."""
    vision = {
        "hidden_size": 16,
        "output_channels": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": 8,
        "window_size": 4,
        "global_attn_indexes": [1],
        "num_pos_feats": 8,
        "mlp_dim": 32,
        "initializer_range": 0.1,
    }
    prompts = {
        "hidden_size": 16,
        "image_size": SIDE,
        "patch_size": 8,
        "mask_input_channels": 4,
        "image_embedding_size": 8,
    }
    config = SamConfig(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=_DECODER
    )
    return _tuned(SamModel, config)


def _sam2_parts() -> dict[str, Any]:
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "num_attention_heads": 1,
        "image_size": [SIDE, SIDE],
        "window_positional_embedding_background_size": [4, 4],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": [8, 4, 4, 2],
        "global_attention_blocks": [3],
    }
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 16,
    }
    prompts = {"hidden_size": 16, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4}
    return {
        "vision_config": vision,
        "prompt_encoder_config": prompts,
        "mask_decoder_config": _DECODER,
    }


def sam2() -> nn.Module:
    """As SAM 2, for 64x64 pixels."""
    return _tuned(Sam2Model, Sam2Config(**_sam2_parts()))


def sam2_video() -> nn.Module:
    """The same with what videos need, as SAM 2.1 is published."""
    memory = {
        "image_size": SIDE,
        "memory_attention_hidden_size": 16,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 16,
        "memory_attention_rope_feat_sizes": [4, 4],
        "memory_encoder_hidden_size": 16,
        "memory_encoder_output_channels": 8,
        "mask_downsampler_embed_dim": 16,
        "memory_fuser_embed_dim": 16,
        "memory_fuser_intermediate_dim": 16,
    }
    return _tuned(Sam2VideoModel, Sam2VideoConfig(**_sam2_parts(), **memory))


def save_sam(folder: Path, network: nn.Module) -> Path:
    """Write a SAM of either kind and its processor."""
    _save(folder, network)
    if isinstance(network, SamModel):
        sizes = {"size": {"longest_edge": SIDE}, "pad_size": {"height": SIDE, "width": SIDE}}
        SamImageProcessor(**sizes).save_pretrained(folder)
    else:
        Sam2ImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    if isinstance(network, Sam2VideoModel):  # by its name of older versions, as published
        path = folder / "preprocessor_config.json"
        settings = json.loads(path.read_text())
        path.write_text(json.dumps({**settings, "image_processor_type": "Sam2ImageProcessorFast"}))
    return folder


#: The words that the small tokenizers know.
WORDS = ("cat", "dog", "red", "a")


def clipseg(folder: Path) -> Path:
    """Write a small CLIPSeg with its processor, for 32x32 pixels."""
    part = {
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
    }
    text = {**part, "vocab_size": 99, "max_position_embeddings": 12, "eos_token_id": 1}
    config = CLIPSegConfig(
        text_config=text,
        vision_config={**part, "image_size": 32, "patch_size": 8},
        projection_dim=32,
        extract_layers=[0, 1, 2],
        reduce_dim=16,
        decoder_num_attention_heads=4,
        decoder_intermediate_size=37,
        conditional_layer=0,
        use_complex_transposed_convolution=True,
    )
    _save(folder, _tuned(CLIPSegForImageSegmentation, config))
    size = {"height": 32, "width": 32}
    ViTImageProcessor(
        size=size, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    ).save_pretrained(folder)
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{each}</w>" for each in letters)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    return folder


def grounding_dino(folder: Path) -> Path:
    """Write a small Grounding DINO with its processor."""
    backbone = SwinConfig(
        image_size=32,
        patch_size=4,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage2", "stage3", "stage4"],
    )
    text = BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    config = GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        fusion_dropout=0.0,
        num_queries=12,
        max_text_len=16,
        num_feature_levels=4,
    )
    _save(folder, _tuned(GroundingDinoForObjectDetection, config))
    size = {"shortest_edge": 64, "longest_edge": 96}
    GroundingDinoImageProcessor(size=size).save_pretrained(folder)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", *WORDS]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    return folder


def _tuned(kind: Any, config: Any) -> nn.Module:
    """A network whose random weights are large enough for its answers to differ."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        made = kind(config)
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                if parameter.ndim > 1:
                    scale = 500 if "hypernetworks" in name and "proj_out" in name else 1
                    random = torch.randn_like(parameter) / parameter[0].numel() ** 0.5
                    parameter.copy_(scale * random)
                else:
                    parameter.add_(0.05 * torch.randn_like(parameter))
    return made.eval()


def _save(folder: Path, network: nn.Module) -> None:
    network.save_pretrained(folder, safe_serialization=True)  # type: ignore[operator]
    assert {"config.json", "model.safetensors"} <= {*os.listdir(folder)}
