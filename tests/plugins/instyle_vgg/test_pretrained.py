"""The two sets of weights, each read from a file as it is published."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch
import torchvision
from torch import nn

from instyle_core import testing
from instyle_vgg import pretrained
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19
from instyle_vgg.weights import IMAGENET1K_V1
from tests.plugins.instyle_vgg.comparison import assert_close

LAYERS = list(VGG19Params().layers())


def test_torchvision(tmp_path, monkeypatch) -> None:
    """Random numbers, in the form of the published file, loaded as the published file is."""
    with torch.device("meta"):
        model = torchvision.models.vgg19()
    features = model.features.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.weight[0].numel()
            nn.init.normal_(layer.weight, std=(2 / fan_in) ** 0.5, generator=generator)
            nn.init.normal_(layer.bias, std=0.1, generator=generator)
    state = {f"features.{name}": tensor for name, tensor in features.state_dict().items()}
    state["classifier.0.weight"] = torch.zeros(2, 2)
    file = tmp_path / IMAGENET1K_V1.file
    torch.save(state, file, _use_new_zipfile_serialization=False)  # the published one is that old

    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(pretrained, "IMAGENET1K_V1", replace(IMAGENET1K_V1, sha256=digest))
    pretrained.load.cache_clear()
    try:
        network = VGG19(VGG19Params(weights="imagenet1k_v1", padding="zeros"))
    finally:
        pretrained.load.cache_clear()

    images = testing.picture(40, 33)[None]
    transforms = torchvision.models.VGG19_Weights.IMAGENET1K_V1.transforms()
    values = torchvision.transforms.functional.normalize(images, transforms.mean, transforms.std)
    maps = network.extract(images, LAYERS)
    names = iter(LAYERS)
    with torch.no_grad():
        for layer in features:
            values = layer(values).clone()  # torchvision's ReLUs write over what they are given
            if not isinstance(layer, nn.MaxPool2d):
                assert_close(maps[next(names)], values)
    assert next(names, None) is None


def test_the_second_process_reads_no_codebooks(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path))
    first = pretrained.load.__wrapped__("oxford")
    monkeypatch.setattr(torch, "load", None)
    second = pretrained.load.__wrapped__("oxford")
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(second[name], tensor)
        if tensor.ndim == 4:
            assert second[name].is_contiguous(memory_format=torch.channels_last)
            assert tensor.is_contiguous(memory_format=torch.channels_last)


def test_networks_share_what_is_loaded() -> None:
    weight_before = VGG19(VGG19Params()).layers.conv5_4.weight.clone()
    random_state = torch.get_rng_state()
    pretrained.load.cache_clear()
    one, two = VGG19(VGG19Params()), VGG19(VGG19Params(pooling="average"))
    assert torch.equal(torch.get_rng_state(), random_state)
    weight = two.layers.conv5_4.weight
    assert one.layers.conv5_4.weight.data_ptr() == weight.data_ptr()
    one.to(torch.device("cpu"), torch.float64)
    assert one.mean.dtype == one.layers.conv1_1.bias.dtype == torch.float64
    assert weight.dtype == torch.float32
    assert torch.equal(weight, weight_before)
