"""What the benchmarks of the optimization have in common: a whole picture, and a plan for it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from instyle_core import testing
from instyle_core.config.plan import Plan, load_plan
from instyle_core.images.picture import write_picture
from instyle_core.painting.crop import Crop


def plan_for(size: int, optimizer: dict[str, Any], **changes: Any) -> Plan:
    """The default preset's plan, but for what is given; its pictures are not used."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_picture(folder / "any.png", testing.picture(64, 64))
        spec = {
            "version": 1,
            "content": "any.png",
            "style": "any.png",
            "output": "out.png",
            "size": size,
            "optimizer": {"use": "adam", **optimizer},
            **changes,
        }
        (folder / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
        return load_plan(folder / "spec.yaml")


def crop_for(content: Tensor, style: Tensor) -> Crop:
    """All of a picture (3, H, W) is to be repainted."""
    everything = torch.ones_like(content[:1])
    return Crop(content, everything, everything, [style])
