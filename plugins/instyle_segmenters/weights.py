"""The weights that torchvision publishes for its segmentation networks."""

from __future__ import annotations

from typing import Literal

from instyle_core import Weights

Model = Literal[
    "deeplabv3_mobilenet_v3_large",
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
    "fcn_resnet50",
    "fcn_resnet101",
    "lraspp_mobilenet_v3_large",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
]

#: Model, file, megabytes, and what it is with the score that torchvision reports.
_FILES: tuple[tuple[Model, str, float, str], ...] = (
    (
        "deeplabv3_mobilenet_v3_large",
        "deeplabv3_mobilenet_v3_large-fc3c493d.pth",
        44.4,
        "DeepLabV3 on MobileNetV3, mIoU 60.3%",
    ),
    (
        "deeplabv3_resnet50",
        "deeplabv3_resnet50_coco-cd0a2569.pth",
        168.3,
        "DeepLabV3 on ResNet-50, mIoU 66.4%",
    ),
    (
        "deeplabv3_resnet101",
        "deeplabv3_resnet101_coco-586e9e4e.pth",
        244.5,
        "DeepLabV3 on ResNet-101, mIoU 67.4%",
    ),
    (
        "fcn_resnet50",
        "fcn_resnet50_coco-1167a1af.pth",
        141.6,
        "FCN on ResNet-50, mIoU 60.5%",
    ),
    (
        "fcn_resnet101",
        "fcn_resnet101_coco-7ecb50ca.pth",
        217.8,
        "FCN on ResNet-101, mIoU 63.7%",
    ),
    (
        "lraspp_mobilenet_v3_large",
        "lraspp_mobilenet_v3_large-d234d4ea.pth",
        13.1,
        "LR-ASPP on MobileNetV3, mIoU 57.9%",
    ),
    (
        "maskrcnn_resnet50_fpn",
        "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        178.1,
        "Mask R-CNN on ResNet-50, mask AP 34.6%",
    ),
    (
        "maskrcnn_resnet50_fpn_v2",
        "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
        185.8,
        "Mask R-CNN on ResNet-50, second version, mask AP 41.8%",
    ),
)


def tells_apart(model: Model) -> bool:
    """Whether a model tells objects of one class apart."""
    return model.startswith("maskrcnn")


def _weights(model: Model, file: str, megabytes: float, summary: str) -> Weights:
    # torchvision says COCO_V1 and COCO_WITH_VOC_LABELS_V1.
    labels = "coco" if tells_apart(model) else "voc"
    trained = "80 classes of COCO" if tells_apart(model) else "20 classes of VOC, trained on COCO"
    return Weights(
        name=f"{model}-{labels}",
        file=file,
        # torchvision publishes only as much of the hash as is in the file's name.
        sha256=file.removesuffix(".pth").rpartition("-")[2],
        megabytes=megabytes,
        license="BSD-3-Clause",
        summary=f"{summary}; {trained}.",
        url=f"https://download.pytorch.org/models/{file}",
    )


#: By the model's name.
PUBLISHED: dict[Model, Weights] = {row[0]: _weights(*row) for row in _FILES}

_VOC = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)

_COCO = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    *("traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat"),
    *("dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack"),
    *("umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball"),
    *("kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket"),
    *("bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair"),
    *("couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse"),
    *("remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink"),
    *("refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier"),
    "toothbrush",
)


def classes_of(model: Model) -> tuple[str, ...]:
    """The classes that the published weights of a model find."""
    return _COCO if tells_apart(model) else _VOC
