"""What networks that read have in common: the text in, and what to say if nothing fits it."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from typing import Any

from torch import Tensor

from instyle_core import InputError
from instyle_sam.loading import to_bytes


def inputs_for(processor: Any, image: Tensor, text: str, most_tokens: int) -> Any:
    """A photo (3, H, W) and a text as a network takes them.

    Args:
        processor: the network's.
        image: (3, H, W) in [0, 1].
        text: in the form that the network wants.
        most_tokens: how long the text may be.

    Raises:
        InputError: the text is too long.
    """
    inputs = processor(
        text=[text],
        images=[to_bytes(image)],
        input_data_format="channels_first",
        return_tensors="pt",
    )
    count = inputs["input_ids"].shape[1]
    if count > most_tokens:
        raise InputError(
            f"the text is too long: {count} tokens, and the network reads {most_tokens}",
            hint="name the object in a few words",
        )
    return inputs.to(image.device)


def nothing_fits(text: str, best: float, threshold: float) -> InputError:
    """The error that says that no object is what a text names."""
    return InputError(
        f"nothing in the photo fits the text {text!r}: the best score is {best:.2f}, and "
        f"{threshold:g} is wanted",
        hint="name the object in other, plain English words, or lower `threshold`",
    )
