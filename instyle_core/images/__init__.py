"""Pictures and masks: from files to tensors and back."""

from __future__ import annotations

from instyle_core.images.picture import (
    Picture,
    check_output,
    read_mask,
    read_picture,
    write_mask,
    write_picture,
)
from instyle_core.images.resize import resample, resize

__all__ = [
    "Picture",
    "check_output",
    "read_mask",
    "read_picture",
    "resample",
    "resize",
    "write_mask",
    "write_picture",
]
