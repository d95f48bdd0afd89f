"""Sums of style pictures, kept between objects and runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from instyle_core.interfaces.loss import Sums
from instyle_core.plugin.use import Use
from instyle_core.weights.cache import TARGETS
from instyle_core.weights.kept import keep, kept_folder, recall, remove_oldest


class StyleCache:
    """Keeps sums in files that are named by a hash of everything that the sums depend on.

    That is: the pixels of the picture, after resizing and recoloring; the extractors with their
    parameters, versions and the hashes of their weights; the layers and what is summed; and the
    precision and the like. Sums of extractors that name no pretrained weights are not kept, since
    their weights may be any; nor those of modules that are not installed, whose code may change.

    If a file is damaged, or the folder cannot be written to, sums are computed again.

    Args:
        uses: the extractors, by their names in the spec.
        computed: how sums are computed, such as the precision, if it changes the result.
        folder: of the files; by default one in the user's cache folder.
    """

    def __init__(
        self, uses: Mapping[str, Use], computed: Sequence[str], folder: Path | None = None
    ) -> None:
        self._uses = uses
        self._computed = [*computed, torch.__version__, f"{torch.get_num_threads()} threads"]
        self._folder = folder or kept_folder(TARGETS)

    def recall(
        self,
        image: Tensor,
        reads: Mapping[str, Sequence[str]],
        what: str,
        compute: Callable[[], Sums],
    ) -> Sums:
        """The sums over a picture: from a file if there is one, else computed and kept.

        Args:
            image: the picture, (1, 3, H, W).
            reads: the layers that the sums are computed from, by extractor.
            what: says what is summed, such as "Gram matrices".
            compute: computes the sums.
        """
        if self._folder is None or not all(self._is_fixed(name) for name in reads):
            return compute()
        key = self._hash(image, reads, what)
        path = self._folder / f"{key}.safetensors"
        found = recall(path, key)
        if found is None:
            sums = compute()
            numbered = {str(index): tensor for index, tensor in enumerate(sums)}
            # Two sums may be one tensor, which a file cannot hold twice.
            if keep(path, key, {n: t.contiguous().clone() for n, t in numbered.items()}):
                remove_oldest(self._folder)
            return sums
        with contextlib.suppress(OSError):
            os.utime(path)
        return tuple(found[str(index)].to(image.device) for index in range(len(found)))

    def _is_fixed(self, name: str) -> bool:
        """Whether the record of an extractor tells all that its feature maps depend on."""
        use = self._uses.get(name)
        return use is not None and use.is_installed and bool(use.pretrained())

    def _hash(self, image: Tensor, reads: Mapping[str, Sequence[str]], what: str) -> str:
        networks = [
            [
                self._uses[name].dump(),
                self._uses[name].distribution,
                [weights.sha256 for weights in self._uses[name].pretrained()],
                layers,
            ]
            for name, layers in reads.items()
        ]
        picture = hashlib.sha256(image.cpu().numpy().tobytes()).hexdigest()
        key = [picture, list(image.shape), networks, what, self._computed]
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()
