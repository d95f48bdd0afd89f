"""Which object of a photo is meant: what `select` of a spec holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from instyle_core.config.optimizer import words_or_number
from instyle_core.errors import InputError
from instyle_core.interfaces.messages import shown
from instyle_core.interfaces.params import Params
from instyle_core.interfaces.pictures import Box, Point, Size
from instyle_core.interfaces.segmenter import Prompt

#: The most points, and classes, that an object can be told by.
MOST = 100


def _pixels(form: str) -> BeforeValidator:
    """One error for a list of the wrong length; pydantic would give one for each missing entry."""

    def check(value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != form.count(",") + 1:
            raise ValueError(f"should be {form} in pixels; it is {shown(value)}")
        return value

    return BeforeValidator(check)


def _from_zero(point: Point) -> Point:
    if min(point) < 0:
        raise ValueError(f"should be [x, y] from 0 on; it is {shown(point)}")
    return point


def _some_words(text: str) -> str:
    if not text.strip():
        raise ValueError("should tell the object in words; it is blank")
    return text


def _one_or_several(value: Any) -> str:
    return "several" if isinstance(value, list | tuple) else "one"


Pixel = Annotated[tuple[int, int], _pixels("[x, y]"), AfterValidator(_from_zero)]
Pixels = Annotated[list[Pixel], Field(min_length=1, max_length=MOST)]
Classes = Annotated[list[str], Field(min_length=1, max_length=MOST)]


class Select(Params):
    """Which object: any of class, points, box and text; among several, `instance`."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["point", "points"]}})

    class_name: (
        Annotated[
            Annotated[str, Tag("one")] | Annotated[Classes, Tag("several")],
            Discriminator(_one_or_several),
        ]
        | None
    ) = Field(
        None,
        alias="class",
        description="Class of the object, such as cat; or a list, such as [horse, person]: these "
        "classes together, where they touch, are one object.",
    )
    point: Pixel | None = Field(
        None, description="A pixel of the object: [x, y], from the photo's top left."
    )
    points: Pixels | None = Field(
        None,
        description="Several pixels of the object instead of `point`: [[x, y], ...]. What is found "
        "at any of them is one object.",
    )
    not_points: Pixels | None = Field(
        None, alias="not", description="Pixels that are not the object's: [[x, y], ...]."
    )
    text: Annotated[str, AfterValidator(_some_words)] | None = Field(
        None,
        description="The object in words, for a segmenter that understands them.",
        json_schema_extra={"pattern": r"\S"},
    )
    box: Annotated[tuple[int, int, int, int], _pixels("[x0, y0, x1, y1]")] | None = Field(
        None,
        description="A box around the object: [x0, y0, x1, y1] in pixels, x1 and y1 exclusive.",
    )
    instance: Annotated[
        Literal["largest", "all"] | Annotated[int, Field(ge=0)],
        words_or_number("largest", "all", start=0),
    ] = Field(
        "largest",
        description="Which one, if several fit: the largest, all of them, or a number: 0 for the "
        "largest, 1 for the next smaller one, and so on.",
    )

    # What info.data lacks is wrong itself, and has its own error.

    @field_validator("points")
    @classmethod
    def _no_point(cls, points: Any, info: ValidationInfo) -> Any:
        if points and info.data.get("point"):
            raise ValueError("there are both 'point' and 'points'; keep one of them")
        return points

    @field_validator("not_points")
    @classmethod
    def _no_points(cls, points: Any, info: ValidationInfo) -> Any:
        for point in _common(_points(info), points):
            raise ValueError(f"the point {shown(point)} is also said to be on the object")
        return points

    @field_validator("box")
    @classmethod
    def _holds_points(cls, box: Box | None, info: ValidationInfo) -> Box | None:
        if not box:
            return box
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 and 0 <= y0 < y1):
            right = "[x0, y0, x1, y1] with 0 <= x0 < x1 and 0 <= y0 < y1"
            raise ValueError(f"should be {right}; it is {shown(box)}")
        for x, y in _points(info):
            if not (x0 <= x < x1 and y0 <= y < y1):
                raise ValueError(f"the point {shown([x, y])} is not in it; it is {shown(box)}")
        return box

    @property
    def prompt(self) -> Prompt:
        """What a segmenter is told."""
        named = [self.class_name] if isinstance(self.class_name, str) else self.class_name or []
        return Prompt(
            point=self.point,
            box=self.box,
            points=tuple(self.points or ()),
            not_points=tuple(self.not_points or ()),
            classes=tuple(dict.fromkeys(named)),
            text=self.text,
        )

    def outside(self, size: Size) -> dict[tuple[str | int, ...], tuple[str, str]]:
        """What lies outside of a picture of (height, width): by place, what is wrong and a hint."""
        height, width = size
        places: dict[tuple[str | int, ...], Point] = {}
        if self.point:
            places["point",] = self.point
        for key, points in (("points", self.points), ("not", self.not_points)):
            places |= {(key, index): point for index, point in enumerate(points or ())}
        found = {}
        for place, (x, y) in places.items():
            if not (x < width and y < height):
                what = f"the point {shown([x, y])} is outside of the picture"
                found[place] = what, f"x goes from 0 to {width - 1}, y from 0 to {height - 1}"
        if self.box and not (self.box[2] <= width and self.box[3] <= height):
            what = f"the box {shown(self.box)} reaches outside of the picture"
            found["box",] = what, f"the picture is {width} pixels wide and {height} high"
        return found


def shrunk(select: Select, size: Size, smaller: Size) -> Select:
    """The same selection in pixels of a smaller version of the picture.

    Args:
        select: in pixels of the picture; checked against its size.
        size: of the picture.
        smaller: of its smaller version.

    Raises:
        InputError: a point or the box lies outside of the picture; or two points, one of them on
            the object, are one pixel of the smaller version.
    """
    for what, hint in select.outside(size).values():
        raise InputError(what, hint=hint)
    (height, width), (down, across) = size, smaller

    def moved(point: Point) -> Point:
        return point[0] * across // width, point[1] * down // height

    changes: dict[str, Any] = {}
    if select.point is not None:
        changes["point"] = moved(select.point)
    if select.points is not None:
        changes["points"] = [*map(moved, select.points)]
    if select.not_points is not None:
        changes["not_points"] = [*map(moved, select.not_points)]
    if select.box is not None:
        x0, y0, x1, y1 = select.box
        last = (-(-x1 * across // width), -(-y1 * down // height))  # rounded up
        changes["box"] = (*moved((x0, y0)), *last)
    small = select.model_copy(update=changes)
    for pixel in _common(small.prompt.points, small.prompt.not_points):
        one, other = (
            next(point for point in points if moved(point) == pixel)
            for points in (select.prompt.points, select.prompt.not_points)
        )
        raise InputError(
            f"the point {shown(one)} on the object and {shown(other)} that is not are one pixel of "
            f"the photo as it is shrunk, to {across} x {down}",
            hint="move them apart, or let `shrink` be larger",
        )
    return small


def _points(info: ValidationInfo) -> Sequence[Point]:
    """The points on the object, as far as they have been checked."""
    point = info.data.get("point")
    return [point] if point else info.data.get("points") or []


def _common(points: Sequence[Point], others: Sequence[Point] | None) -> list[Point]:
    return [point for point in others or () if point in points]
