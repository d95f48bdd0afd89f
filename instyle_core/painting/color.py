"""The colors of a repainted object: those of the style, or its own.

Source: Gatys, Bethge, Hertzmann and Shechtman 2016, "Preserving Color in Neural Artistic Style
Transfer", arXiv:1606.05897.
"""

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core.config.spec import Color

#: Variance, in squared units of [0, 1], below which a channel counts as constant: a quarter of a
#: level of 255.
_CONSTANT = (0.25 / 255) ** 2


class Palette:
    """The colors of one object, as a spec wants them.

    - ``of: style``: nothing is changed; the object gets the colors of the style.
    - ``of: content, by: luminance`` (section 4 of the source): the networks see only the luminance
      Y of the object and of the style. The style's is matched to the object's beforehand,
      ``Y' = (s_c / s_s) (Y - m_s) + m_c``, with the means m and the standard deviations s. The
      object gets the new luminance and keeps its own chrominance: ``x + (Y(p) - Y(x))`` in each
      channel, with the photo x and the optimized pixels p. This is the same as replacing Y in YIQ.
    - ``of: content, by: histogram`` (section 3 of the source): the style picture s becomes
      ``A (s - m_s) + m_c`` with ``A = S_c^(1/2) S_s^(-1/2)`` and the covariances S of the colors.
      The root is the symmetric one, as in "Image Analogies": unlike Cholesky's, it does not depend
      on the order of the channels.

    Statistics of the photo are those of the object alone.

    Args:
        color: the key ``color`` of the spec.
        content: the photo, (3, H, W), in [0, 1].
        mask: the object, (1, H, W), in [0, 1], not empty.
    """

    def __init__(self, color: Color, content: Tensor, mask: Tensor) -> None:
        self._keeps_luminance_only = color.of == "content" and color.by == "luminance"
        self._matches_colors = color.of == "content" and color.by == "histogram"
        self._content = content[:, mask[0] > 0]

    def style(self, picture: Tensor) -> Tensor:
        """A style picture (3, h, w) with the colors that losses compare with; in [0, 1]."""
        if self._matches_colors:
            return _matched(picture, self._content)
        if self._keeps_luminance_only:
            gray = _matched(luminance(picture), luminance(self._content))
            return gray.expand_as(picture).contiguous()
        return picture

    def seen(self, picture: Tensor) -> Tensor:
        """A picture (3, H, W) as the networks see it."""
        return luminance(picture).expand_as(picture) if self._keeps_luminance_only else picture

    def painted(self, pixels: Tensor, content: Tensor) -> Tensor:
        """The optimized pixels with the colors that the object gets.

        Args:
            pixels: (3, H, W), in [0, 1].
            content: the photo of the same size.
        """
        if not self._keeps_luminance_only:
            return pixels
        return (content + luminance(pixels) - luminance(content)).clamp(0, 1)


def luminance(picture: Tensor) -> Tensor:
    """Y of YIQ (ITU-R BT.601) of (3, ...), as (1, ...)."""
    # Numbers, not a tensor of weights: that would be copied to the GPU at each step.
    red, green, blue = picture
    return (0.299 * red + 0.587 * green + 0.114 * blue)[None]


def _matched(source: Tensor, target: Tensor) -> Tensor:
    """Colors (C, ...), changed linearly to the mean and covariance of others (C, n)."""
    values = source.flatten(1)
    mean, root = _statistics(values)
    target_mean, target_root = _statistics(target)
    linear = target_root @ torch.linalg.inv(root)
    matched = linear @ (values - mean).double() + target_mean.double()
    return matched.to(source).clamp(0, 1).reshape(source.shape)


def _statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (C, 1) and the symmetric root (C, C) of the covariance of colors (C, n)."""
    mean = values.mean(dim=1, keepdim=True)
    centered = (values - mean).double()
    covariance = centered @ centered.T / values.shape[1]
    variances, axes = torch.linalg.eigh(covariance)
    return mean, axes @ torch.diag(variances.clamp(min=_CONSTANT).sqrt()) @ axes.T
