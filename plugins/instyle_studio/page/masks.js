// Masks as canvases that are opaque where the object is, and ways to draw them.

import { picture, url } from "./api.js";

const kept = new Map();
const MOST_KEPT = 40;

/** The longest side of a mask that a brush makes: all browsers can hold a canvas of its square. */
const LONGEST = 4096;

export function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** A gray picture as a canvas whose opacity is the gray. */
function asAlpha(image) {
  const canvas = canvasOf(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  for (let at = 0; at < data.length; at += 4) {
    data[at + 3] = data[at];
    data[at] = data[at + 1] = data[at + 2] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** The mask at an address of the server, such as `url.shownMask(id)`. */
export async function maskAt(address) {
  if (!kept.has(address)) {
    kept.set(address, picture(address).then(asAlpha));
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  }
  try {
    return await kept.get(address);
  } catch (error) {
    kept.delete(address);
    throw error;
  }
}

export const shownMask = (id) => maskAt(url.shownMask(id));

/** The objects of a run together, as it has found them. */
export async function maskOfRun(run) {
  const masks = await Promise.all(run.spec.objects.map((_, index) =>
    maskAt(url.run(run.id, `mask?object=${index}`))));
  if (masks.length === 1) return masks[0];
  const key = `${run.id} all`;
  if (!kept.has(key)) {
    const canvas = canvasOf(masks[0].width, masks[0].height);
    for (const mask of masks) canvas.getContext("2d").drawImage(mask, 0, 0);
    kept.set(key, Promise.resolve(canvas));
  }
  return kept.get(key);
}

/** A picture where a mask is, as a PNG that is transparent elsewhere. */
export function cutOut(image, mask) {
  const canvas = canvasOf(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(mask, 0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = "source-in";
  context.drawImage(image, 0, 0);
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
}

/** Whether a pixel of the photo belongs to a mask. */
export function hits(mask, photo, px, py) {
  const x = Math.floor((px * mask.width) / photo.width);
  const y = Math.floor((py * mask.height) / photo.height);
  const pixel = mask.getContext("2d", { willReadFrequently: true }).getImageData(x, y, 1, 1);
  return pixel.data[3] > 127;
}

/** A mask with strokes of the brush: {adds, radius, points}, in pixels of the photo. */
export function withStrokes(mask, photo, strokes, width, height) {
  const canvas = canvasOf(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (mask) context.drawImage(mask, 0, 0, width, height);
  context.scale(width / photo.width, height / photo.height);
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = "white";
  for (const { adds, radius, points } of strokes) {
    context.globalCompositeOperation = adds ? "source-over" : "destination-out";
    context.lineWidth = 2 * radius;
    context.beginPath();
    context.moveTo(...points[0]);
    for (const point of points) context.lineTo(...point);
    if (points.length === 1) context.lineTo(points[0][0] + 0.01, points[0][1]);
    context.stroke();
  }
  return canvas;
}

/** The size at which strokes are worked out: the photo's, unless that is too much for a canvas. */
export function workSize({ width, height }) {
  const factor = Math.min(1, LONGEST / Math.max(width, height));
  return [Math.max(1, Math.round(width * factor)), Math.max(1, Math.round(height * factor))];
}

/** A mask as the gray PNG that the server takes. */
export function asPng(mask) {
  const canvas = canvasOf(mask.width, mask.height);
  const context = canvas.getContext("2d");
  context.fillStyle = "black";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(mask, 0, 0);
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
}

const layers = new Map();

/** A canvas of the stage's size that is kept until the key changes: layers are drawn once. */
function layer(name, key, viewer, paint) {
  const old = layers.get(name);
  if (old?.key === key) return old.canvas;
  const canvas = old?.canvas ?? canvasOf(1, 1);
  canvas.width = Math.round(viewer.paneWidth * viewer.ratio);
  canvas.height = viewer.canvas.height;
  const context = canvas.getContext("2d");
  context.setTransform(viewer.ratio, 0, 0, viewer.ratio, 0, 0);
  paint(context);
  layers.set(name, { key, canvas });
  return canvas;
}

let numbers = 0;
const numbered = new WeakMap();

function number(mask) {
  if (!numbered.has(mask)) {
    numbers += 1;
    numbered.set(mask, numbers);
  }
  return numbered.get(mask);
}

const position = (viewer) => [viewer.left, viewer.top, viewer.scale, viewer.paneWidth,
  viewer.canvas.height].join(" ");

function place(context, viewer, mask, dx = 0, dy = 0) {
  context.drawImage(mask, viewer.left + dx, viewer.top + dy, viewer.width * viewer.scale,
    viewer.height * viewer.scale);
}

function put(context, viewer, canvas) {
  context.drawImage(canvas, 0, 0, viewer.paneWidth, viewer.canvas.clientHeight);
}

/** Draw the mask's area in a color. */
export function drawTint(context, viewer, mask, color, opacity, name) {
  const key = `${number(mask)} ${color} ${position(viewer)}`;
  const canvas = layer(`tint ${name}`, key, viewer, (target) => {
    place(target, viewer, mask);
    target.globalCompositeOperation = "source-in";
    target.fillStyle = color;
    target.fillRect(0, 0, viewer.paneWidth, viewer.canvas.clientHeight);
  });
  context.globalAlpha = opacity;
  put(context, viewer, canvas);
  context.globalAlpha = 1;
}

/** Draw what is outside of the masks in a color, which hides or dims it. */
export function drawOutside(context, viewer, masks, color, opacity) {
  const key = `${masks.map(number)} ${color} ${position(viewer)}`;
  const canvas = layer("outside", key, viewer, (target) => {
    target.fillStyle = color;
    target.fillRect(viewer.left, viewer.top, viewer.width * viewer.scale,
      viewer.height * viewer.scale);
    target.globalCompositeOperation = "destination-out";
    for (const mask of masks) place(target, viewer, mask);
  });
  context.globalAlpha = opacity;
  put(context, viewer, canvas);
  context.globalAlpha = 1;
}

/** Draw a line around the mask, with a thin dark edge so that it is seen on any picture. */
export function drawOutline(context, viewer, mask, color, width, name) {
  const key = `${number(mask)} ${color} ${width} ${position(viewer)}`;
  const canvas = layer(`line ${name}`, key, viewer, (target) => {
    for (const [radius, paint] of [[width + 1.25, "rgb(0 0 0 / 55%)"], [width, color]]) {
      const ring = ringOf(viewer, mask, radius, paint);
      target.drawImage(ring, 0, 0, viewer.paneWidth, viewer.canvas.clientHeight);
    }
  });
  put(context, viewer, canvas);
}

function ringOf(viewer, mask, radius, color) {
  const canvas = canvasOf(Math.round(viewer.paneWidth * viewer.ratio), viewer.canvas.height);
  const context = canvas.getContext("2d");
  context.setTransform(viewer.ratio, 0, 0, viewer.ratio, 0, 0);
  for (let turn = 0; turn < 16; turn += 1) {
    const angle = (turn * Math.PI) / 8;
    place(context, viewer, mask, radius * Math.cos(angle), radius * Math.sin(angle));
  }
  context.globalCompositeOperation = "source-in";
  context.fillStyle = color;
  context.fillRect(0, 0, viewer.paneWidth, viewer.canvas.clientHeight);
  context.globalCompositeOperation = "destination-out";
  place(context, viewer, mask);
  return canvas;
}
