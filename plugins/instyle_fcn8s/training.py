"""The steps of a training of an `FCN`, and the items that it takes."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset
from torchmetrics.classification import MulticlassConfusionMatrix

from instyle_fcn8s.network import FCN
from instyle_training.augment import Crops
from instyle_training.learner import Learner, prepared
from instyle_training.metrics import Figures
from instyle_training.recipe import Recipe
from instyle_training.voc import IGNORED

#: The score by which the best epoch is chosen.
MONITOR = "val/mean_iou"


class FCNLearner(Learner):
    """Cross entropy over all pixels with a label; the score is the mean IoU over classes.

    Batches are photos, uint8 (N, 3, H, W), with the network's labels, int64 (N, H, W).
    """

    network: FCN

    def __init__(self, network: FCN, recipe: Recipe) -> None:
        super().__init__(network, recipe)
        self._confusion = MulticlassConfusionMatrix(len(network.classes), ignore_index=IGNORED)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        photos, labels = batch
        scores = self.network(prepared(photos, self.network.mean.dtype)).float()
        loss = F.cross_entropy(scores, labels, ignore_index=IGNORED)
        self.log_loss(loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        photos, labels = batch
        # `forward`, because a compiled network would be compiled again for each size of photo.
        scores = self.network.forward(prepared(photos, self.network.mean.dtype))
        self._confusion.update(scores.argmax(dim=1), labels)

    def on_validation_epoch_end(self) -> None:
        figures = Figures.of(self._confusion.compute().cpu().numpy(), self.network.classes)
        self._confusion.reset()
        self.log(MONITOR, figures.mean_iou, prog_bar=True)
        self.log("val/pixel_accuracy", figures.pixel_accuracy, prog_bar=True)


class LabeledCrops:
    """Random crops with the network's labels, for `Augmented`.

    Args:
        recipe: how photos are changed.
        numbers: the network's label for each label of the masks, (256,), as `renumbering` has it.
    """

    def __init__(self, recipe: Recipe, numbers: Tensor) -> None:
        self._crops = Crops(recipe)
        self._numbers = numbers

    def __call__(self, photo: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        photo, mask = self._crops(photo, mask)
        return photo, self._numbers[mask.long()].long()


class Labeled(Dataset[tuple[Tensor, Tensor]]):
    """Whole photos with the network's labels.

    Args:
        photos: items uint8 (3, H, W) and uint8 (H, W).
        numbers: as those of `LabeledCrops`.
    """

    def __init__(self, photos: Dataset[tuple[Tensor, Tensor]], numbers: Tensor) -> None:
        self._photos = photos
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._photos)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        photo, mask = self._photos[index]
        return photo, self._numbers[mask.long()].long()
