"""The published networks that can be loaded by name; each is pinned to one commit and one hash."""

from __future__ import annotations

from functools import partial
from typing import Literal

from instyle_core import Weights, hub_weights

SamModel = Literal["sam2.1-hiera-tiny", "sam2.1-hiera-small", "sam-vit-base"]
Method = Literal["dino-sam", "clipseg"]

#: The files of a network of transformers: its description, its preprocessing, its words, its
#: weights.
CONFIG, PREPROCESSOR, STATE = "config.json", "preprocessor_config.json", "model.safetensors"
WORDS = ("tokenizer.json", "tokenizer_config.json")

_sees = partial(hub_weights, license="Apache-2.0", file=STATE, beside=(CONFIG, PREPROCESSOR))
_reads = partial(_sees, beside=(CONFIG, PREPROCESSOR, *WORDS))

#: Segment Anything, by name.
SAMS: dict[SamModel, Weights] = {
    "sam2.1-hiera-tiny": _sees(
        "facebook/sam2.1-hiera-tiny",
        "de431c4043854a71d8101e17995dfe596bf101a5",
        name="sam2.1-hiera-tiny",
        sha256="48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7",
        megabytes=155.9,
        summary="SAM 2.1 on a Hiera-T; trained on 11 million photos and 51 thousand videos.",
    ),
    "sam2.1-hiera-small": _sees(
        "facebook/sam2.1-hiera-small",
        "ee5bba1d82bb8749febdf90f45e84b687142ba03",
        name="sam2.1-hiera-small",
        sha256="0a4067b11ce1e23d5229203f11c718a823060d15a4b23fa2372a7d4b77cbbc60",
        megabytes=184.3,
        summary="SAM 2.1 on a Hiera-S; trained on 11 million photos and 51 thousand videos.",
    ),
    "sam-vit-base": _sees(
        "facebook/sam-vit-base",
        "70c1a07f894ebb5b307fd9eaaee97b9dfc16068f",
        name="sam-vit-base",
        sha256="892c410e496344e527255ccdcb2cb7244a609acb5389c7c4fdba1288f861c579",
        megabytes=375,
        summary="SAM on a ViT-B; trained on 11 million photos.",
    ),
}

#: What finds an object by words, by the method that it is for.
READERS: dict[Method, Weights] = {
    "dino-sam": _reads(
        "IDEA-Research/grounding-dino-tiny",
        "a2bb814dd30d776dcf7e30523b00659f4f141c71",
        name="grounding-dino-tiny",
        sha256="1a2412ef99bd74bcd3c2a246fa1e48581f8889a1300c9051974741314fc042f3",
        megabytes=689.4,
        summary="Grounding DINO on a Swin-T: boxes around what words name.",
    ),
    "clipseg": _reads(
        "CIDAS/clipseg-rd64-refined",
        "999e0328d9e10b484360c477313983f9afdd7050",
        name="clipseg-rd64-refined",
        sha256="d00ca85d6b859f9d07b7cfb8ef26fe9771cb275b34c9368f2ecf603139307f55",
        megabytes=603,
        summary="CLIPSeg on a ViT-B: where in a photo it is what words name.",
    ),
}
