"""Texts: in the network's form, not too long; and what is said if nothing fits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import CLIPSegProcessor

from instyle_core import InputError, testing
from instyle_sam.reading import inputs_for, nothing_fits


def test_inputs(nets: Path) -> None:
    processor = CLIPSegProcessor.from_pretrained(nets / "clipseg")
    inputs = inputs_for(processor, testing.picture(20, 30), "cat", 12)
    assert inputs["pixel_values"].shape == (1, 3, 32, 32)
    tokens = processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    assert tokens == ["<|startoftext|>", "c", "a", "t</w>", "<|endoftext|>"]
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    gray = inputs_for(processor, torch.full((3, 20, 30), 0.2), "cat", 12)["pixel_values"]
    expected = ((0.2 - mean) / std)[:, None, None].expand(3, 32, 32)
    torch.testing.assert_close(gray[0], expected, atol=1e-5, rtol=0)


def test_a_text_that_is_too_long(nets: Path) -> None:
    processor = CLIPSegProcessor.from_pretrained(nets / "clipseg")
    with pytest.raises(InputError, match="too long: 13 tokens, and the network reads 12") as caught:
        inputs_for(processor, testing.picture(20, 30), "elevenletter"[:11], 12)
    assert caught.value.exit_status == 2


def test_nothing_fits() -> None:
    error = nothing_fits("a dragon", 0.1234, 0.35)
    assert error.exit_status == 2
    assert "fits the text 'a dragon': the best score is 0.12, and 0.35 is wanted" in error.what
    assert "lower `threshold`" in str(error.hint)
