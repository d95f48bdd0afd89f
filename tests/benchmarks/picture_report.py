"""What bench_pictures.py reports of the results that it has written.

- table.md: for each size and rival the medians of its pairs, and the share of the pairs on which
  one of them, that of `--against`, has a lower style distance than the rival and no worse content.
  Seconds are those of the clock, those of all cores together, and, for neural-style-pt, those that
  it would take in float32, by a sample.
- plot.png: style against content, lower left is better. A large dot is the median of a rival, a
  small one a pair; variants of a spec, NAME@KEY=VALUE, are joined by a line.
- contact-SIZE.png, contact-SIZE-2.png and so on, some pairs each: photo, painting and results.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from PIL import Image, ImageColor, ImageDraw, ImageFont

MEASURES = ("style", "content", "edges", "color", "blotches", "grain")

#: In pixels.
CELL = 192
LABEL = 30
PANEL = 640
MARGIN = 70

#: Pairs of a contact sheet.
ROWS = 8

COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2")

#: What is known of a rival: facts by pair; of a size: by rival.
Facts = dict[str, dict[str, Any]]
Rivals = dict[str, Facts]


def load(folder: Path, names: Sequence[str] | None) -> Rivals:
    """The facts of each rival and pair of a size; the rivals in the order that is given."""
    found: Rivals = {}
    for path in sorted(folder.glob("*/*.json")):
        found.setdefault(path.parent.name, {})[path.stem] = json.loads(path.read_text())
    wanted = names or sorted(found, key=family)
    return {name: found[name] for name in wanted if name in found}


def family(name: str) -> tuple[str, str, float]:
    """The spec that a rival is a variant of, the key, and the value if it is a number."""
    spec, _, variant = name.partition("@")
    key, _, value = variant.partition("=")
    try:
        return spec, key, float(value)
    except ValueError:
        return spec, key, 0.0


def share_of_wins(mine: Facts, other: Facts) -> float | None:
    """On how many of the common pairs I have less style distance at no worse content."""
    both = [(mine[pair]["verdict"], other[pair]["verdict"]) for pair in mine if pair in other]
    if not both:
        return None
    return fmean(a["style"] < b["style"] and a["content"] <= b["content"] for a, b in both)


def table(rivals: Rivals, against: str) -> str:
    heads = ["rival", "pairs", *MEASURES, "seconds", "of all cores", "in float32"]
    heads.append(f"{against} is better")
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for name, facts in rivals.items():
        row = [f"`{name}`", str(len(facts))]
        for measure in MEASURES:
            row.append(f"{median(fact['verdict'][measure] for fact in facts.values()):.3f}")
        for key in ("seconds", "cpu_seconds"):
            row.append(f"{median(fact[key] for fact in facts.values()):.0f}")
        row.append(f"{median(in_float32(name, fact) for fact in facts.values()):.0f}")
        wins = None if name == against else share_of_wins(rivals.get(against, {}), facts)
        row.append("" if wins is None else f"{wins:.0%}")
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def in_float32(name: str, fact: dict[str, Any]) -> float:
    """The seconds of a run, or what they would have been: its iterations are in its name."""
    each = fact.get("seconds_per_iteration_float32")
    return fact["seconds"] if each is None else each * int(name.rpartition("-")[2])


def font(size: int = 12) -> Any:
    return ImageFont.load_default(size)


def plot(sizes: dict[int, Rivals]) -> Image.Image:
    """A panel for each size."""
    sheet = Image.new("RGB", (PANEL * len(sizes), PANEL), "white")
    names = list(dict.fromkeys(family(name)[0] for rivals in sizes.values() for name in rivals))
    for number, (size, rivals) in enumerate(sizes.items()):
        panel = Image.new("RGB", (PANEL, PANEL), "white")
        draw_panel(ImageDraw.Draw(panel), size, rivals, names)
        sheet.paste(panel, (PANEL * number, 0))
    return sheet


def draw_panel(draw: Any, size: int, rivals: Rivals, names: Sequence[str]) -> None:
    points = {name: [point(fact) for fact in facts.values()] for name, facts in rivals.items()}
    flat = [one for part in points.values() for one in part]
    most = [1.05 * max(max(one[axis] for one in flat), 1e-6) for axis in (0, 1)]

    def place(one: tuple[float, float]) -> tuple[float, float]:
        x, y = (
            value / limit * (PANEL - 2 * MARGIN) for value, limit in zip(one, most, strict=True)
        )
        return MARGIN + x, PANEL - MARGIN - y

    frame = (MARGIN, MARGIN, PANEL - MARGIN, PANEL - MARGIN)
    draw.rectangle(frame, outline="gray")
    for part in (0, 0.25, 0.5, 0.75, 1):
        x, y = place((part * most[0], part * most[1]))
        draw.text((x, PANEL - MARGIN + 4), f"{part * most[0]:.3f}", "black", font(), anchor="ma")
        draw.text((MARGIN - 4, y), f"{part * most[1]:.3f}", "black", font(), anchor="rm")
    draw.text((PANEL / 2, PANEL - 30), "content distance", "black", font(14), anchor="mm")
    draw.text(
        (MARGIN, MARGIN - 8), f"style distance, {size} pixels", "black", font(14), anchor="lb"
    )

    last: dict[str, tuple[float, float]] = {}
    for name, part in points.items():
        spec, key, _ = family(name)
        color = COLORS[names.index(spec) % len(COLORS)]
        pale = tuple((value + 2 * 255) // 3 for value in ImageColor.getrgb(color))
        for one in part:
            dot(draw, place(one), 2, pale)
        middle = place((median(x for x, _ in part), median(y for _, y in part)))
        if key and spec + key in last:
            draw.line((*last[spec + key], *middle), color, 2)
        last[spec + key] = middle
        dot(draw, middle, 5, color)
        label = name.rpartition("=")[2] if key else name
        draw.text((middle[0] + 7, middle[1]), label, color, font(), anchor="lm")
    for number, spec in enumerate(names):
        color = COLORS[number % len(COLORS)]
        draw.text((PANEL - MARGIN - 6, MARGIN + 6 + 15 * number), spec, color, font(), anchor="ra")


def point(fact: dict[str, Any]) -> tuple[float, float]:
    return fact["verdict"]["content"], fact["verdict"]["style"]


def dot(draw: Any, place: tuple[float, float], radius: int, color: Any) -> None:
    x, y = place
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)


def contact(folder: Path, rivals: Rivals, pairs: Sequence[str]) -> Image.Image:
    """A row for each pair: photo, painting, and the rivals with their style and content."""
    heads = ["photo", "painting", *rivals]
    sheet = Image.new("RGB", (CELL * len(heads), LABEL + (CELL + LABEL) * len(pairs)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        middle = CELL * column + CELL / 2
        draw.multiline_text((middle, LABEL / 2), wrapped(head), "black", font(11), anchor="mm")
    for row, pair in enumerate(pairs):
        top = LABEL + (CELL + LABEL) * row
        files = [folder / "pairs" / f"{pair}-{kind}.png" for kind in ("photo", "style")]
        labels = [*pair.split("-", 1)]
        for name, facts in rivals.items():
            files.append(folder / name / f"{pair}.png")
            verdict = facts[pair]["verdict"] if pair in facts else None
            labels.append(
                f"s {verdict['style']:.2f}  c {verdict['content']:.3f}" if verdict else "missing"
            )
        for column, (path, label) in enumerate(zip(files, labels, strict=True)):
            middle = CELL * column + CELL / 2
            if path.exists():
                picture = Image.open(path)
                factor = (CELL - 6) / max(picture.size)
                width, height = (max(1, round(side * factor)) for side in picture.size)
                shown = picture.resize((width, height), Image.Resampling.LANCZOS)
                sheet.paste(shown, (round(middle - width / 2), top + (CELL - height) // 2))
            draw.text((middle, top + CELL + 8), label, "black", font(), anchor="mm")
    return sheet


def wrapped(name: str) -> str:
    """A rival's name on two lines if it is a variant or long."""
    return name.replace("@", "\n") if "@" in name or len(name) < 28 else f"{name[:27]}\n{name[27:]}"


def report(out: Path, against: str, names: Sequence[str] | None) -> None:
    """Write the table, the plot and the contact sheets of all sizes that are there."""
    folders = {int(path.name): path for path in out.iterdir() if path.name.isdigit()}
    sizes = {size: load(folders[size], names) for size in sorted(folders)}
    sizes = {size: rivals for size, rivals in sizes.items() if rivals}
    if not sizes:
        raise SystemExit(f"no results in {out}")
    parts = [f"{size} pixels\n\n{table(rivals, against)}\n" for size, rivals in sizes.items()]
    (out / "table.md").write_text("\n".join(parts), encoding="utf-8")
    plot(sizes).save(out / "plot.png")
    for size, rivals in sizes.items():
        pairs = sorted({pair for facts in rivals.values() for pair in facts})
        for page, first in enumerate(range(0, len(pairs), ROWS), start=1):
            suffix = f"-{page}" if page > 1 else ""
            sheet = contact(folders[size], rivals, pairs[first : first + ROWS])
            sheet.save(out / f"contact-{size}{suffix}.png")
    print("\n".join(parts))
