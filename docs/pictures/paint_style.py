"""Paint a style picture from nothing: swirling oil strokes, for neural style transfer.

    python docs/pictures/paint_style.py OUTPUT [--palette P] [--strokes S] [--seed N] [--size WxH]

How it works
------------
1. A stream function (smooth noise plus a few large vortices) gives a flow field: its curl,
   scaled to unit speed, is the direction of the brush at every place.
2. Every pixel walks its streamline both ways, as in line integral convolution (B. Cabral and
   L. Leedom, "Imaging vector fields using line integral convolution", SIGGRAPH 1993).  Two
   things are gathered on the walk.  The mean of random grain, which is line integral
   convolution proper, gives the bristle marks.  The *highest-numbered disc* that the walk
   meets gives the brush strokes: a disc of paint dragged along the flow covers just those
   pixels whose streamline meets it, so the "highest wins" rule paints crisp strokes that
   overlap like wet paint, where the mean would only blur the colors together.
3. Strokes come in layers, from a broad underpainting to fine accents.  A stroke takes its color
   from a palette that is laid out along the stream function, with much randomness, and each
   hair of the brush has a slightly different mixture of that color and a second one.
4. Every stroke adds to a height map (round back, bristle grooves, a ridge at its rim), which is
   lit from the upper left, so that the paint looks thick.

The result depends only on the options.  The strokes have the same size in pixels at any --size.
"""

import argparse

import numpy as np
from PIL import Image, ImageColor
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

SCALE = 2.0  # everything is painted this much larger and then scaled down
LIGHT = np.array([-0.55, -0.60, 0.58])  # where the light comes from: x, y (down), toward us

# The palettes, in the order in which colors are laid along the bands of the flow.  The number is
# the share of the picture that a color gets.  `night` goes from prussian blue over ultramarine,
# slate violet, cobalt, cerulean, teal, sage, cream, naples yellow, ochre and cadmium orange to
# burnt red.
NIGHT = [
    ("#141b36", 7),
    ("#24306f", 11),
    ("#4a4a86", 5),
    ("#2c559f", 13),
    ("#5088b8", 10),
    ("#2f7f7d", 9),
    ("#a3c3b4", 7),
    ("#efe3c2", 11),
    ("#ecc556", 9),
    ("#c98f2c", 8),
    ("#dd6f2b", 7),
    ("#84342a", 3),
]
EMBERS = [
    ("#1c0f12", 8),
    ("#4a1420", 10),
    ("#7d1d24", 12),
    ("#b3322a", 14),
    ("#d9572b", 12),
    ("#e98a35", 12),
    ("#f2b957", 10),
    ("#f6dfa4", 8),
    ("#8c5a4a", 8),
    ("#3b2a3f", 6),
]
MEADOW = [
    ("#15301f", 9),
    ("#2a5a33", 13),
    ("#4d8a3f", 14),
    ("#86ad4c", 12),
    ("#c3cf6e", 9),
    ("#f0e9b2", 8),
    ("#e7b7c1", 7),
    ("#c46f8e", 6),
    ("#7c93b8", 9),
    ("#3f5f7d", 8),
]
INK = [
    ("#16161a", 18),
    ("#34343a", 14),
    ("#5f5e63", 12),
    ("#8f8b87", 12),
    ("#bdb7ad", 14),
    ("#e6dfd0", 18),
    ("#f7f2e6", 12),
]
PALETTES = {"night": NIGHT, "embers": EMBERS, "meadow": MEADOW, "ink": INK}
GROUND = "#4d3528"  # umber, mixed into the ground that shows where the paint is thin
# The vortices: place in fractions of the picture (y, x), radius in eighths of its diagonal,
# strength and sense of rotation, and how steeply its strokes run inwards (0: closed rings).
VORTICES = [
    (0.36, 0.33, 1.55, 3.0, 0.38),
    (0.66, 0.76, 0.95, -2.4, 0.0),
    (0.14, 0.83, 0.75, 2.0, 0.45),
    (0.88, 0.16, 0.70, -1.8, 0.0),
    (0.06, 0.05, 0.50, -1.2, 0.0),
    (0.95, 0.55, 0.50, 1.3, 0.5),
]
# Layers of strokes, bottom first: width and length of a stroke, how densely the paint is
# laid (mean number of strokes over a place), and the random shift of a color along the palette.
LAYERS = [
    dict(width=26, length=110, cover=7.0, stray=0.06),
    dict(width=18, length=90, cover=1.0, stray=0.09),
    dict(width=11, length=64, cover=1.0, stray=0.12),
    dict(width=7, length=42, cover=0.6, stray=0.16),
]


def smooth_noise(rng, shape, sigma):
    """Gaussian noise of unit variance whose features are about `sigma` pixels large."""
    step = max(1, int(sigma / 4))  # drawn coarse and scaled up: a wide blur is slow
    coarse = rng.standard_normal([n // step + 8 for n in shape])
    coarse = gaussian_filter(coarse, sigma / step, mode="wrap")
    image = Image.fromarray(coarse.astype(np.float32))
    big = np.asarray(image.resize([n * step for n in image.size], Image.BICUBIC))
    big = big[: shape[0], : shape[1]]
    return (big - big.mean()) / big.std()


def flow_field(rng, shape):
    """The unit flow of the brush, as (vy, vx), and the bands of color that run with it."""
    height, width = shape
    unit = np.hypot(height, width) / 8
    y, x = np.mgrid[:height, :width].astype(np.float32)
    psi = 0.55 * smooth_noise(rng, shape, 0.6 * unit) + 1.3 * (y / height - 0.45 * x / width)
    # Round shapes are slightly distorted, as if drawn by hand.
    y += 0.10 * unit * smooth_noise(rng, shape, 0.35 * unit)
    x += 0.10 * unit * smooth_noise(rng, shape, 0.35 * unit)
    inward_y, inward_x, arms, far = 0.0, 0.0, 0.0, 1.0
    for cy, cx, radius, strength, pitch in VORTICES:
        ry, rx = (y - cy * height) / (radius * unit), (x - cx * width) / (radius * unit)
        r2 = ry**2 + rx**2
        psi += strength * np.exp(-r2)
        near = np.exp(-((r2 / 1.2) ** 2))
        if pitch:  # a spiral: the brush also runs inwards, and the bands become its arms
            inward_y -= pitch * near * ry / np.sqrt(r2 + 1e-6)
            inward_x -= pitch * near * rx / np.sqrt(r2 + 1e-6)
            turn = -np.sign(strength) / pitch
            arms += near * np.sin(np.arctan2(ry, rx) + 0.5 * turn * np.log(r2 + 1e-3))
            far = far * (1 - near)
    py, px = np.gradient(psi)
    speed = np.hypot(py, px) + 1e-9
    vy, vx = px / speed + inward_y, -py / speed + inward_x
    speed = np.hypot(vy, vx) + 1e-9
    band = far * np.sin(2.2 * psi + 0.5 * smooth_noise(rng, shape, 0.6 * unit)) + arms
    band = (band.ravel().argsort().argsort() / band.size).reshape(shape)  # uniform on 0..1
    return (vy / speed).astype(np.float32), (vx / speed).astype(np.float32), band


def lay_discs(rng, shape, layer):
    """Seeds of one layer of strokes and, for every pixel, the number of the disc it is in."""
    width, length = layer["width"] * SCALE, layer["length"] * SCALE
    count = int(layer["cover"] * shape[0] * shape[1] / (width * length))
    center = rng.random((count, 2)) * shape
    radius = 0.5 * width * rng.uniform(0.7, 1.25, count)
    half = 0.5 * length * rng.uniform(0.6, 1.3, count)
    y, x = np.mgrid[: shape[0], : shape[1]]
    distance, number = cKDTree(center).query(np.c_[y.ravel(), x.ravel()])
    number = np.where(distance < radius[number], number, -1).astype(np.int32)
    return dict(
        center=center.astype(np.float32),
        number=number,
        radius=radius.astype(np.float32),
        half=half.astype(np.float32),
    )


def walk_streamlines(shape, vy, vx, layers, grain):
    """Walk from every pixel both ways; return the bristle field and note every layer's hits.

    A layer gains `win` (number of the stroke on top, or -1), `along` (place along the stroke,
    -1 to 1) and `across` (place across it, -1 to 1).
    """
    height, width = shape
    step = SCALE
    vy, vx, grain = vy.ravel(), vx.ravel(), grain.ravel()
    for layer in layers:
        layer["win"] = np.full(height * width, -1, np.int32)
        layer["along"], layer["across"] = np.zeros((2, height * width), np.float32)
    total, weight = np.zeros(height * width, np.float32), 0.0
    for sign in (1, -1):
        y, x = np.mgrid[:height, :width].astype(np.float32).reshape(2, -1)
        for i in range(int(max(layer["half"].max() for layer in layers) / step) + 1):
            here = np.rint(y).astype(np.int32) * width + np.rint(x).astype(np.int32)
            dy, dx = vy[here], vx[here]
            if i <= 25:
                total += grain[here]
                weight += 1
            for layer in layers:
                number = layer["number"][here]
                new = np.flatnonzero(number > layer["win"])
                new = new[i * step <= layer["half"][number[new]]]
                number = number[new]
                oy, ox = (layer["center"][number] - np.c_[y[new], x[new]]).T
                layer["win"][new] = number
                layer["along"][new] = -sign * i * step - oy * dy[new] - ox * dx[new]
                layer["along"][new] /= layer["half"][number] + layer["radius"][number]
                layer["across"][new] = (ox * dy[new] - oy * dx[new]) / layer["radius"][number]
            y = np.clip(y + sign * step * dy, 0, height - 1)
            x = np.clip(x + sign * step * dx, 0, width - 1)
    return total / weight


def palette_color(palette, where):
    """Colors at the places `where` (0 to 1) of a palette: always one of its colors, unmixed."""
    pots = np.array([ImageColor.getrgb(name) for name, _ in palette]) / 255
    edges = np.cumsum([share for _, share in palette])
    return pots[np.searchsorted(edges / edges[-1], np.clip(where, 0, 0.9999), side="right")]


def paint(size=(640, 512), seed=11, palette=NIGHT, strokes=1.0):
    """The painted picture, as a PIL image of the given (width, height)."""
    rng = np.random.default_rng(seed)
    plans = [{**p, "width": p["width"] * strokes, "length": p["length"] * strokes} for p in LAYERS]
    shape = round(size[1] * SCALE), round(size[0] * SCALE)
    vy, vx, band = flow_field(rng, shape)
    layers = [lay_discs(rng, shape, layer) for layer in plans]
    grain = gaussian_filter(rng.standard_normal(shape).astype("f4"), 0.45 * SCALE)
    bristle = walk_streamlines(shape, vy, vx, layers, grain)
    bristle = (bristle - bristle.mean()) / bristle.std()

    ground = np.array(ImageColor.getrgb(GROUND)) / 255
    color = 0.5 * palette_color(palette, band.ravel()) + 0.5 * ground
    relief = np.zeros(bristle.size)
    for plan, layer in zip(plans, layers, strict=True):
        # The two colors of every stroke, and its lightness.
        cy, cx = np.clip(layer["center"].astype(int), 0, np.array(shape) - 1).T
        count = len(cy)
        where = band[cy, cx] + plan["stray"] * rng.standard_normal(count)
        first = palette_color(palette, np.abs(where)) * rng.uniform(0.86, 1.12, (count, 1))
        second = palette_color(palette, np.abs(where + 0.1 * rng.standard_normal(count)))
        # The paint at each pixel, from the stroke on top.
        win, along, across = layer["win"], layer["along"], np.clip(layer["across"], -1, 1)
        mixture = np.clip(0.22 + 0.2 * bristle + 0.25 * across, 0, 0.8)[:, None]
        paint_here = first[win] * (1 - mixture) + second[win] * mixture
        paint_here *= 1 + 0.05 * bristle[:, None]
        # A stroke gets thin toward its end: the hairs separate, and the paint below shows.
        dry = np.clip((along - 0.3) / 0.7, 0, 1)
        cover = np.clip(2.6 + 0.9 * bristle - 2.6 * dry, 0, 1) * (win >= 0)
        # Its outline: round where the brush was put down, pointed where it was lifted.
        reach = 1.02 - dry**2 - np.clip(-(along + 0.7) / 0.3, 0, 1) ** 2 + 0.05 * bristle
        cover *= np.clip((reach - np.abs(across)) * 6, 0, 1)
        back = np.sqrt(1 - 0.9 * across**2) + 0.25 * np.abs(across) ** 6 + 0.045 * bristle
        thick = plan["width"] ** 0.5 * back * (1 - 0.3 * along)
        relief += cover * (thick - 0.55 * relief)
        color += cover[:, None] * (paint_here - color)

    # Light on the height map: diffuse reflection and a little gloss.
    relief = gaussian_filter(relief.reshape(shape), 0.5 * SCALE)
    gy, gx = np.gradient(relief * 0.33 * SCALE)
    normal = np.stack([-gx, -gy, np.ones(shape)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    light = LIGHT / np.linalg.norm(LIGHT)
    diffuse = normal @ light / light[2]
    half = light + np.array([0, 0, 1])
    gloss = np.clip(normal @ (half / np.linalg.norm(half)), 0, 1) ** 40
    picture = color.reshape(*shape, 3) * np.clip(0.4 + 0.6 * diffuse, 0.4, 1.3)[..., None]
    picture += 0.10 * (gloss - gloss.mean())[..., None]
    picture = Image.fromarray((255 * np.clip(picture, 0, 1)).round().astype(np.uint8))
    return picture.resize(size, Image.LANCZOS)


def main():
    parser = argparse.ArgumentParser(description="Paint a swirling style picture from nothing.")
    parser.add_argument("output", help="the picture to write (.jpg or .png)")
    parser.add_argument("--palette", choices=PALETTES, default="night", help="its colors")
    parser.add_argument("--strokes", type=float, default=1.0, help="size of the strokes")
    parser.add_argument("--seed", type=int, default=11, help="another seed, another picture")
    parser.add_argument("--size", default="640x512", help="width x height in pixels")
    args = parser.parse_args()
    width, height = map(int, args.size.lower().split("x"))
    picture = paint((width, height), args.seed, PALETTES[args.palette], args.strokes)
    picture.save(args.output, quality=90, subsampling=1)


if __name__ == "__main__":
    main()
