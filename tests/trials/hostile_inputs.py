"""What `hostile.py` tries: specs, pictures and masks; what else it tries is beside."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import shutil
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from hostile_plugins import plugin_list, plugin_run
from hostile_runs import prepare_run, resumed
from hostile_weights import Canary, flipped, weights_file
from PIL import Image
from project import make_project

from tests.core.test_validation_fuzz import ODD, OF_PIXELS, Maker, make_files

Judge = Callable[[Sequence[Any], str], str]


def anything(statuses: Sequence[Any], err: str) -> str:
    """Whatever ends well or is refused is fine."""
    del statuses, err
    return ""


def refused(statuses: Sequence[Any], err: str) -> str:
    del err
    return "accepted" if statuses[-1] == 0 else ""


@dataclass
class Case:
    """One input.

    Attributes:
        name: its kind, a colon, and what is special about it.
        commands: what is called, one after the other.
        judge: what is wrong with their statuses and the last messages; else empty.
        path: folders with plugins.
    """

    name: str
    commands: list[list[str]]
    judge: Judge = anything
    path: list[str] = field(default_factory=list)


def make(number: int, seed: int, folder: Path) -> Case:
    """Make the files of an input in a new folder: a project, and what is around it."""
    chance = random.Random(f"{seed}-{number}")
    around = folder / "around"
    (around / "folder").mkdir(parents=True)
    for path in (around / "secret.txt", around / "folder" / "run.json"):
        path.write_text('{"status": "finished"}', encoding="utf-8")
    (folder / "cache").mkdir()
    return MAKERS[number % len(MAKERS)](number + 100_000 * seed, chance, folder)


def warm_up(folder: Path) -> None:
    """Import what is heavy, and make the run that others resume."""
    prepare_run(folder)


def project(folder: Path, **changes: Any) -> Path:
    optimizer = {"use": "adam", "steps": 1, "scales": 1}
    path = make_project(folder / "project", optimizer=optimizer, size=64, **changes)
    (path.parent / "styles").mkdir()
    shutil.copy(path.parent / "style.png", path.parent / "styles" / "0.png")
    return path


RUN = ["pipeline", "run", "spec.yaml", "--quiet"]
VALIDATE = ["pipeline", "validate", "spec.yaml"]

# --- specs ----------------------------------------------------------------------------------------


def fuzzed_spec(number: int, chance: random.Random, folder: Path) -> Case:
    """A spec, valid or nearly so: what `validate` calls fine is carried out."""
    del chance
    (folder / "project").mkdir()
    make_files(folder / "project")
    # The first are tried by the suite.
    text = yaml.safe_dump(Maker(1000 + number).spec())
    (folder / "project" / "spec.yaml").write_text(text, encoding="utf-8")

    def judge(statuses: Sequence[Any], err: str) -> str:
        if len(statuses) == 2 and statuses[0] == 0 and statuses[1] != 0:
            return "" if OF_PIXELS.search(err) else "fine for validate, refused by run"
        if len(statuses) == 2 and statuses[0] != 0 and statuses[1] == 0:
            return "refused by validate, fine for run"
        return ""

    return Case(f"spec:{number}", [VALIDATE, RUN], judge)


TEXTS = [
    b"", b"\0", b"\xff\xfe\0", b"{", b"[" * 5000, b"{a: " * 3000, b"- " * 4000, b"null", b"1",
    b"[]", b"&a [*a]", b"a: &a [x, x]\nb: &b [*a, *a]\n",
    b"!!python/object/apply:os.mkdir [../around/canary]",
    b"!!python/name:os.system", b"%YAML 9.9\n---\n", b"--- 1\n--- 2\n", b"? [a]\n: b\n",
    b"<<: 1\n",
    b"version: 1\ncontent: !!binary aGVsbG8=\n", b"!!set {a}", b"x: 2001-01-01", b"a: 1\na: 2\n",
    b"version: " + b"9" * 10000, b"version: 0x" + b"f" * 10000, b"version: 1e999999999",
    b"'\x1b[2J\x1b]0;title\x07': 1\n", b'{"version": 1, "\\u001b[2J": 1, "content": "\\u001b]0;x"}',
    b'version: 1\nsegmenter: {use: "\\e[2J\\e[31m", path: "\\e[8m"}\nlosses: [{use: "\\x9b2J"}]\n',
    b"\n".join(b"k%d: &k%d [%s]" % (n, n, b"*k%d, " % (n - 1) * 9) for n in range(1, 9)),
]  # fmt: skip


def garbled_spec(number: int, chance: random.Random, folder: Path) -> Case:
    """A text that is no spec, or a spec with odd values and bytes anywhere."""
    path = project(folder)
    if chance.random() < 0.4:
        data = chance.choice(TEXTS)
    else:
        spec = yaml.safe_load(path.read_bytes())
        for _ in range(chance.randint(1, 4)):
            put_anywhere(spec, chance, ODD)
        data = yaml.safe_dump(spec).encode()
        if chance.random() < 0.5:
            data = flipped(data, chance)
    path.write_bytes(data)
    return Case(f"text:{number}", [VALIDATE])


def put_anywhere(data: Any, chance: random.Random, values: Sequence[Any]) -> None:
    """Put one of some values, or nothing, in a random place of nested data."""
    while True:
        keys = [*data] if isinstance(data, dict) else [*range(len(data))]
        key = chance.choice(keys)
        if isinstance(data[key], dict | list) and data[key] and chance.random() < 0.7:
            data = data[key]
            continue
        if chance.random() < 0.15 and len(data) > 1:
            del data[key]
        else:
            data[key] = chance.choice(values)
        return


# --- pictures -------------------------------------------------------------------------------------

FORMATS: list[tuple[str, str, dict[str, Any]]] = [
    ("png", "RGB", {}), ("png", "L", {}), ("png", "RGBA", {}), ("png", "P", {}), ("png", "1", {}),
    ("png", "I;16", {}), ("png", "LA", {}), ("jpg", "RGB", {}), ("jpg", "CMYK", {}),
    ("jpg", "RGB", {"progressive": True}), ("jpg", "L", {}), ("webp", "RGB", {}),
    ("webp", "RGBA", {"lossless": True}), ("tif", "RGB", {}), ("tif", "L", {}), ("tif", "F", {}),
    ("tif", "RGB", {"compression": "tiff_lzw"}), ("tif", "RGB", {"compression": "tiff_deflate"}),
    ("tif", "1", {"compression": "group4"}), ("tif", "I", {}), ("tif", "LAB", {}),
    ("tif", "RGB", {"compression": "jpeg"}), ("bmp", "RGB", {}), ("gif", "P", {}),
    ("jp2", "RGB", {}), ("avif", "RGB", {}), ("ppm", "RGB", {}), ("tga", "RGBA", {}),
    ("pcx", "RGB", {}), ("ico", "RGBA", {}), ("dds", "RGBA", {}), ("sgi", "RGB", {}),
    ("eps", "RGB", {}), ("pdf", "RGB", {}), ("im", "RGB", {}), ("icns", "RGBA", {}),
]  # fmt: skip


def encoded(chance: random.Random, size: tuple[int, int]) -> tuple[str, bytes]:
    """A picture of noise in any format: its suffix and its bytes."""
    suffix, mode, more = chance.choice(FORMATS)
    pixels = np.random.default_rng(chance.randrange(99)).integers(0, 256, (*size, 4), np.uint8)
    image = Image.fromarray(pixels, "RGBA").convert("RGB")
    if mode in ("RGBA", "LA"):
        image = Image.fromarray(pixels, "RGBA")
    if mode == "LAB":
        image = Image.fromarray(pixels[..., :3], "LAB")
    elif mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, Image.registered_extensions()[f".{suffix}"], **more)
    return suffix, buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bombs(chance: random.Random) -> tuple[str, bytes]:
    """Small files that claim, or unpack to, much."""
    side = chance.choice([2**31 - 1, 65535, 50_000, 12_000])
    zeros = zlib.compress(bytes(2 * 10**8 if chance.random() < 0.3 else 10**6), 9)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, chance.choice([0, 2, 6]), 0, 0, 0))
    small = chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 44, 8, 2, 0, 0, 0))
    begin, end = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")
    data = zlib.compress(bytes(44 * 181))
    gif = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + bytes(6)
    bmp = b"BM" + struct.pack("<IHHIIiiHH", 99, 0, 0, 54, 40, side, side, 1, 24) + bytes(24)
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, side), (279, 4, 1, 99)]
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags))
    tiff += b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(99)
    return chance.choice(
        [
            ("png", begin + head + chunk(b"IDAT", zeros) + end),
            ("png", begin + small + chunk(b"iCCP", b"x\0\0" + zeros) + chunk(b"IDAT", data) + end),
            ("png", begin + small + chunk(b"zTXt", b"x\0\0" + zeros) + chunk(b"IDAT", data) + end),
            ("png", begin + small + chunk(b"IDAT", zeros) + end),
            ("gif", gif + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\2\1\0\0;"),
            ("bmp", bmp),
            ("tif", tiff),
            ("ppm", b"P6 %d %d 255\n" % (side, side) + bytes(99)),
            ("ppm", b"P3 " + b"9" * 10**6),
            ("png", b"<svg xmlns='http://www.w3.org/2000/svg' width='99999' height='99999'/>"),
            ("png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 44\n(x) run\n"),
        ]
    )


def hostile_picture(chance: random.Random, folder: Path, size: tuple[int, int]) -> tuple[Path, str]:
    """A file in the project that may be a picture, and how it was made."""
    how = chance.choice(["whole", "cut", "cut", "flipped", "flipped", "flipped", "bomb", "special"])
    suffix, data = bombs(chance) if how == "bomb" else encoded(chance, size)
    if how == "cut":
        data = data[: int(len(data) * chance.choice([0, 0.01, 0.2, 0.5, 0.8]))]
    elif how == "flipped":
        data = flipped(data, chance)
    label = f"{how} {suffix}"
    if chance.random() < 0.2:
        suffix = chance.choice(["png", "jpg", "txt", "tif", "exe", "webp"])
    path = folder / f"bad.{suffix}"
    path.write_bytes(data)
    if how == "special":
        path.unlink()
        label = special(chance, path, folder.parent / "around")
    return path, label


def special(chance: random.Random, path: Path, around: Path) -> str:
    """Make what is no plain file."""
    how = chance.choice(["pipe", "folder", "link to nothing", "/dev/zero", "/dev/null", "a loop"])
    if how == "pipe":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()
    else:
        to = {"link to nothing": str(around / "missing"), "a loop": path.name}.get(how, how)
        path.symlink_to(to)
    return how


def picture(number: int, chance: random.Random, folder: Path) -> Case:
    """A run with a hostile picture or mask somewhere."""
    del number
    spec = project(folder)
    bad, label = hostile_picture(chance, spec.parent, (44, 60))
    data = yaml.safe_load(spec.read_bytes())
    role = chance.choice(["content", "style", "start", "mask", "mask", "folder"])
    if role == "mask":
        use = chance.choice(["stencil", "mask"])
        data["objects"] = [{"segmenter": {"use": use, "path": bad.name}}]
    elif role == "folder":
        shutil.move(bad, spec.parent / "styles" / bad.name)
        data["style"] = {"choose_from": "styles", "ranker": {"use": "near"}}
    else:
        data[role] = bad.name
    spec.write_text(yaml.safe_dump(data), encoding="utf-8")
    is_cut = label.startswith("cut") and role != "folder"
    judge = refused if is_cut else anything
    return Case(f"{role}:{label}", [RUN], judge)


def segment(number: int, chance: random.Random, folder: Path) -> Case:
    """A hostile picture for `segment`."""
    del number
    project(folder)
    bad, label = hostile_picture(chance, folder / "project", (44, 60))
    image, use = bad.name, "{use: stencil, path: mask-0.png}"
    if chance.random() < 0.3:
        image, use = "photo.png", f"{{use: mask, path: {bad.name}}}"
    odd = [["--point", "9" * 30 + ",-1"], ["--box", "0,0,9,nan"], ["--class", "\x1b[2J"]]
    asked = chance.choice(odd) if chance.random() < 0.2 else []
    command = ["segment", image, "--use", use, *asked, "-o", "out.png", "--json"]
    return Case(f"segment:{label}", [command], refused if label.startswith("cut") else anything)


# --- weights --------------------------------------------------------------------------------------


def weights(number: int, chance: random.Random, folder: Path) -> Case:
    """A hostile file of weights for a segmenter, or in the cache."""
    del number
    project(folder)
    label, data = weights_file(chance, folder / "around" / "canary")
    if chance.random() < 0.4:
        place = chance.choice(
            ["converted/a.safetensors", "targets/a.safetensors", "vgg19-dcbb9e9d.pth"]
        )
        path = folder / "cache" / place
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return Case(f"cache:{label}", [["models", "verify"]])
    if chance.random() < 0.25:
        net = folder / "project" / "net"
        net.mkdir()
        (net / "model.safetensors").write_bytes(data)
        (net / "config.json").write_text(network_config(chance, folder / "around" / "canary"))
        use = "{use: smp, pretrained: net, size: 32}"
        command = ["segment", "photo.png", "--use", use, "-o", "out.png", "--json"]
        return Case(f"weights:{label}, a network", [command], refused)
    name = f"bad.{chance.choice(['pth', 'safetensors', 'pt', 'bin'])}"
    (folder / "project" / name).write_bytes(data)
    use = chance.choice(
        [
            f"{{use: fcn8s, weights: {name}}}",
            f"{{use: smp, weights: {name}, size: 32}}",
            f"{{use: torchvision, weights: {name}, size: 32}}",
        ]
    )
    command = ["segment", "photo.png", "--use", use, "-o", "out.png", "--json"]
    return Case(f"weights:{label} {use}", [command], refused)


def network_config(chance: random.Random, canary: Path) -> str:
    """A description of a network that is none, or that asks for more than a network."""
    checkpoint = canary.with_name("checkpoint.pth")
    checkpoint.write_bytes(pickle.dumps(Canary(canary), protocol=2))
    config: Any = {"_model_class": "Unet", "encoder_name": "tu-tf_mobilenetv3_small_075"}
    config |= {"checkpoint_path": str(checkpoint), "decoder_channels": [8, 8, 8, 8, 8]}
    keys = [*config, "encoder_weights", "in_channels", "classes", "encoder_depth", "aux_params"]
    for _ in range(chance.randint(0, 3)):
        config[chance.choice(keys)] = chance.choice([odd for odd in ODD if odd != 10**400])
    return chance.choice([json.dumps(config)] * 4 + ["[" * 10**5, "9" * 9999, "null", "\0"])


def run_plugin(number: int, chance: random.Random, folder: Path) -> Case:
    name, path = plugin_run(number, chance, project(folder))
    return Case(f"plugin:{name}", [RUN], refused, path)


def list_plugins(number: int, chance: random.Random, folder: Path) -> Case:
    project(folder)
    name, path = plugin_list(number, chance, folder / "site")
    commands = [["plugins", "list", "--json"], chance.choice([["plugins", "list"], VALIDATE])]
    return Case(f"plugins:{name}", commands, path=path)


def resume(number: int, chance: random.Random, folder: Path) -> Case:
    del number
    name, command = resumed(chance, folder)
    is_refused = name.startswith("bytes") and "--resume" in command
    return Case(f"resume:{name}", [command], refused if is_refused else anything)


#: In turn: of ten, five are carried out, and one more if it is fine.
MAKERS: list[Callable[[int, random.Random, Path], Case]] = [
    resume, segment, picture, garbled_spec, resume, weights, run_plugin, list_plugins,
    picture, fuzzed_spec,
]  # fmt: skip
