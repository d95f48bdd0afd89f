"""Feature maps: one forward pass per extractor and step, shared by all losses.

Large pictures go through the networks in tiles, with the same sums and gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.loss import SHARE_OF_REACH, SummedLoss, Sums, View
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.interfaces.pictures import Size
from instyle_core.optimization.random_state import generator_for
from instyle_core.painting.mask_pyramid import MaskPyramid, size_of
from instyle_core.painting.style_cache import StyleCache
from instyle_core.painting.tiles import Index, Tile, stride_of, tiles_of

#: The layers that a loss reads, by extractor.
Reads = Mapping[str, Sequence[str]]

#: A picture with fewer pixels than so many tiles is not divided: tiles overlap, and each of them is
#: computed twice.
WORTH_DIVIDING = 1.5


class Draws:
    """The random numbers of a step, drawn once and given to each of its tiles.

    Args:
        device: where they are needed.
    """

    def __init__(self, device: torch.device) -> None:
        self._generator = generator_for(device)
        self._device = device
        self._drawn: list[Tensor] = []

    def __call__(self, index: int, size: Sequence[int]) -> Tensor:
        """The numbers of the draw with this index, in [0, 1)."""
        if index == len(self._drawn):
            where = self._generator.device
            drawn = torch.rand(*size, generator=self._generator, device=where)
            self._drawn.append(drawn.to(self._device))
        return self._drawn[index]


class PictureView(View):
    """A whole picture. Each extractor runs once, when one of its maps is first read."""

    def __init__(
        self, stack: FeatureStack, image: Tensor, mask: MaskPyramid, draws: Draws | None = None
    ) -> None:
        self._stack = stack
        self._image = image
        self._mask = mask
        self._draws = draws or Draws(image.device)
        self._draw = 0
        self._maps: dict[str, Mapping[str, Tensor]] = {}

    @property
    def image(self) -> Tensor:
        return self._image

    @property
    def generator(self) -> torch.Generator:
        return generator_for(self._image.device)

    def mask(self, size: Sequence[int] | None = None) -> Tensor:
        return self._mask(size)

    def inside(self, extractor: str, layer: str, *, share: float = SHARE_OF_REACH) -> Tensor:
        stride, reach = self._stack.stride_and_reach(extractor, layer)
        return self._mask.inside(stride, share * reach)

    def features(self, extractor: str, layer: str, *, raw: bool = False) -> Tensor:
        if extractor not in self._maps:
            layers = self._stack.layers[extractor]
            self._maps[extractor] = self._stack.extract(extractor, self._image, layers)
        maps = self._maps[extractor][layer]
        return maps if raw else at_least_float32(maps)

    def at(self, cells: Tensor, extractor: str | None = None, layer: str = "") -> Tensor:
        return _vectors(self._maps_of(extractor, layer), cells)

    def _maps_of(self, extractor: str | None, layer: str) -> Tensor:
        return self.image if extractor is None else self.features(extractor, layer, raw=True)

    def random(self, *size: int) -> Tensor:
        self._draw += 1
        return self._draws(self._draw - 1, size)

    def part(self, whole: Tensor) -> Tensor:
        return whole

    def summed(self, sums: Callable[[View], Sums], reads: Reads, what: str) -> Sums:
        del reads, what
        return sums(self)


class _TileView(PictureView):
    """A tile: its own pixels and cells, computed from the pixels that they depend on."""

    def __init__(
        self, stack: FeatureStack, piece: Tensor, mask: MaskPyramid, tile: Tile, draws: Draws
    ) -> None:
        super().__init__(stack, piece, mask, draws)
        self._whole = size_of(mask())
        self._tile = tile

    @property
    def image(self) -> Tensor:
        return self._image[self._tile.inner(1)]

    def mask(self, size: Sequence[int] | None = None) -> Tensor:
        wanted = tuple(size or self._tile.size(1))
        for stride in (1, *self._stack.strides):
            if self._tile.size(stride) == wanted:
                level = self._mask((self._whole[0] // stride, self._whole[1] // stride))
                return level[self._tile.part(stride)]
        raise ValueError(f"no layer has {wanted[0]} x {wanted[1]} cells of this tile")

    def inside(self, extractor: str, layer: str, *, share: float = SHARE_OF_REACH) -> Tensor:
        stride = self._stack.stride(extractor, layer)
        return super().inside(extractor, layer, share=share)[self._tile.part(stride)]

    def features(self, extractor: str, layer: str, *, raw: bool = False) -> Tensor:
        maps = super().features(extractor, layer, raw=True)
        own = self._tile.inner(self._stack.stride(extractor, layer))
        maps = _OwnCells.apply(maps, own)  # type: ignore[no-untyped-call]
        return maps if raw else at_least_float32(maps)

    def at(self, cells: Tensor, extractor: str | None = None, layer: str = "") -> Tensor:
        stride = 1 if extractor is None else self._stack.stride(extractor, layer)
        # Numbers, not tensors: a CUDA graph cannot capture what is copied to the GPU.
        (top, bottom), (left, right) = (
            span.cells(stride) for span in (self._tile.rows, self._tile.columns)
        )
        rows, columns = cells.unbind(dim=1)
        is_own = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
        own = (rows.clamp(top, bottom - 1) - top, columns.clamp(left, right - 1) - left)
        return _vectors(self._maps_of(extractor, layer), torch.stack(own, 1)) * is_own[:, None]

    def part(self, whole: Tensor) -> Tensor:
        stride = stride_of(size_of(whole), self._whole, (1, *self._stack.strides))
        return whole[self._tile.part(stride)]


class _TargetView(PictureView):
    """A whole picture without a gradient. Its sums may be in the cache; it may need tiles."""

    def __init__(
        self, stack: FeatureStack, image: Tensor, mask: MaskPyramid, cache: StyleCache | None
    ) -> None:
        super().__init__(stack, image, mask)
        self._tiles = stack.tiles(size_of(image))
        self._cache = cache

    def features(self, extractor: str, layer: str, *, raw: bool = False) -> Tensor:
        stack = self._stack
        if len(self._tiles) == 1 or not stack.is_local({extractor: [layer]}):
            return super().features(extractor, layer, raw=raw)
        stride, (height, width) = stack.stride(extractor, layer), size_of(self._image)
        whole: Tensor | None = None
        for tile in self._tiles:
            maps = stack.extract(extractor, self._image[tile.seen], [layer])[layer]
            if whole is None:
                whole = maps.new_empty(1, maps.shape[1], height // stride, width // stride)
            whole[tile.part(stride)] = maps[tile.inner(stride)]
        assert whole is not None
        return whole if raw else at_least_float32(whole)

    def summed(self, sums: Callable[[View], Sums], reads: Reads, what: str) -> Sums:
        def compute() -> Sums:
            if len(self._tiles) == 1:
                return sums(self)
            draws = Draws(self._image.device)
            each = (
                sums(self._stack.tile_view(self._image[tile.seen], self._mask, tile, draws))
                for tile in self._tiles
            )
            return reduce(_plus, each)

        if self._cache is None:
            return compute()
        return self._cache.recall(self._image, reads, what, compute)


class FeatureStack:
    """The extractors of one stylization, with the layers that its losses read.

    Args:
        extractors: by their names in the spec.
        reads: the layers that each loss reads, by extractor.
        device: where to compute.
        precision: of the networks; other than float32 by automatic mixed precision.
        params: the extractors' parameters, with strides and reaches.
        tile: the side of tiles, in pixels; 0 for none. A picture that is not much larger than a
            tile is not divided.
    """

    def __init__(
        self,
        extractors: Mapping[str, FeatureExtractor],
        reads: Iterable[Reads],
        device: torch.device,
        precision: torch.dtype = torch.float32,
        *,
        params: Mapping[str, ExtractorParams] | None = None,
        tile: int = 0,
    ) -> None:
        self.layers: dict[str, list[str]] = {}
        for wanted in reads:
            for name, layers in wanted.items():
                have = self.layers.setdefault(name, [])
                have += [layer for layer in layers if layer not in have]
        self._extractors = {name: extractors[name] for name in self.layers}
        self._params = params or {}
        self._precision = precision
        self.device = device
        self.tile = tile
        #: The factor of gradients within networks in float16. It starts too large, and is divided
        #: until there is no overflow.
        self.gradient_scale = 2.0**32

    def view(self, image: Tensor, mask: MaskPyramid) -> PictureView:
        """A view of a picture (1, 3, H, W), with a gradient if the picture requires one."""
        return PictureView(self, image, mask)

    def target(
        self, image: Tensor, mask: MaskPyramid, cache: StyleCache | None = None
    ) -> PictureView:
        """A view of a picture (1, 3, H, W) to compare with, without a gradient.

        Args:
            image: of any size.
            mask: of the same size.
            cache: where its sums are kept, if anywhere.
        """
        return _TargetView(self, image, mask, cache)

    def sums(self, losses: Sequence[SummedLoss], image: Tensor, mask: MaskPyramid) -> list[Sums]:
        """The sums of each loss over a picture, tile by tile, with a gradient to the picture.

        Each tile is computed once for its sums and once more for its gradient, so that no more than
        one tile's feature maps are in memory at a time.
        """

        draws = Draws(image.device)

        def sums_of(piece: Tensor, tile: Tile) -> list[Sums]:
            view = self.tile_view(piece, mask, tile, draws)
            return [loss.sums(view) for loss in losses]

        # The random state is not restored: reading it fails while a CUDA graph is captured.
        computed_twice = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
        each = (
            computed_twice(sums_of, image[tile.seen], tile) for tile in self.tiles(size_of(image))
        )
        # To stop early, torch would raise from within a loss, which would be blamed for it.
        with set_checkpoint_early_stop(False):
            return reduce(lambda total, part: [*map(_plus, total, part)], each)

    def tiles(self, size: Size) -> list[Tile]:
        """The tiles of a picture; a single one if it is not divided."""
        local = [name for name in self.layers if self.is_local({name: self.layers[name]})]
        pairs = [(name, layer) for name in local for layer in self.layers[name]]
        whole = not pairs or not self.tile or size[0] * size[1] <= WORTH_DIVIDING * self.tile**2
        side = max(size) if whole else self.tile
        reach = max((self._params[name].reach(layer) or 0 for name, layer in pairs), default=0)
        return tiles_of(size, side, reach, [self.stride(*pair) for pair in pairs] or [1])

    def is_local(self, reads: Reads) -> bool:
        """Whether the extractors of these maps can run tile by tile for all layers read of them."""
        return all(
            name in self._params and self._params[name].reach(layer) is not None
            for name in reads
            for layer in self.layers[name]
        )

    def stride(self, extractor: str, layer: str) -> int:
        """The stride of a layer, in pixels."""
        return self._params[extractor].layers()[layer]

    def stride_and_reach(self, extractor: str, layer: str) -> tuple[int, int]:
        """Of a layer, in pixels; a reach of 0 for a network that sees the whole picture."""
        return self.stride(extractor, layer), self._params[extractor].reach(layer) or 0

    @property
    def strides(self) -> list[int]:
        """The strides of the layers that are read and can be computed tile by tile."""
        return list(
            {
                self.stride(name, layer): None
                for name, layers in self.layers.items()
                for layer in layers
                if self.is_local({name: [layer]})
            }
        )

    def tile_view(self, piece: Tensor, mask: MaskPyramid, tile: Tile, draws: Draws) -> View:
        """A view of a tile.

        Args:
            piece: the pixels that the tile depends on, (1, 3, h, w).
            mask: of the whole picture.
            tile: where it is in the picture.
            draws: the random numbers of all tiles.
        """
        return _TileView(self, piece, mask, tile, draws)

    def extract(self, name: str, image: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        """Run an extractor on a picture (1, 3, H, W); its maps may be of a lower precision."""
        mixed = self._precision != torch.float32
        if mixed:  # in this layout convolutions of low precision are fastest
            image = image.contiguous(memory_format=torch.channels_last)
        scaled = self._precision == torch.float16
        if scaled:
            image = _Scaled.apply(image, 1 / self.gradient_scale)  # type: ignore[no-untyped-call]
        with torch.autocast(self.device.type, self._precision, enabled=mixed):
            maps = self._extractors[name].extract(image, layers)
        if not scaled:
            return maps
        return {
            layer: _Scaled.apply(tensor, self.gradient_scale)  # type: ignore[no-untyped-call]
            for layer, tensor in maps.items()
        }


class _OwnCells(torch.autograd.Function):
    """A part of a map, whose gradient has the memory layout of the map.

    The gradient of torch's own slicing is always contiguous. A network that has to convert the
    layout of its gradients takes three times as long.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, part: Index) -> Tensor:
        ctx.shape, ctx.part = maps.shape, part
        channels_last = maps.stride(1) == 1
        ctx.layout = torch.channels_last if channels_last else torch.contiguous_format
        return maps[part]

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        whole = torch.empty(
            ctx.shape, dtype=gradient.dtype, device=gradient.device, memory_format=ctx.layout
        ).zero_()
        whole[ctx.part] = gradient
        return whole, None


class _Scaled(torch.autograd.Function):
    """The values in float32; the gradient is multiplied by a factor, then rounded to their type.

    Gradients of means over millions of cells are too small for float16. The maps of a network are
    scaled by a large factor and its input by the inverse, so that its gradients fit within it.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: float) -> Tensor:
        ctx.dtype, ctx.factor = values.dtype, factor
        return values.float()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return (gradient * ctx.factor).to(ctx.dtype), None


def _vectors(maps: Tensor, cells: Tensor) -> Tensor:
    """The feature vectors (n, C), at least float32, of cells (n, 2) of a map (1, C, h, w)."""
    # Not `maps[0]`: the gradient of an index is contiguous, and then every gradient above it in a
    # network with channels last is converted.
    rows = maps.permute(0, 2, 3, 1).flatten(0, 2)
    index = cells[:, 0] * maps.shape[3] + cells[:, 1]
    return at_least_float32(rows.index_select(0, index))


def _plus(one: Sums, other: Sums) -> Sums:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor in float32, or unchanged if it is float64."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()
