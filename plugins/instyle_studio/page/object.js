// Picking an object on the picture: hover, click, shift-click, a box, brush and eraser; by pointer,
// touch and keys. What is picked is in `state`; `selection.js` asks the server for masks.

import { $, radios, show, tell } from "./dom.js";
import { drawOutline, drawOutside, drawTint, hits, shownMask, withStrokes } from "./masks.js";
import { changePick, clearPick, redo, takeFound, undo } from "./selection.js";
import { colorOf, on, pick, state } from "./state.js";

const TOOLS = [["add", "Point at the object", "point", "Point (V); Shift takes away"],
  ["less", "Point at what is not the object", "less", "Take away"],
  ["box", "Box around the object", "box", "Box (X); or drag with the pointer"],
  ["brush", "Brush", "brush", "Brush (B)"], ["eraser", "Eraser", "eraser", "Eraser (E)"]];
const VIEWS = [["tint", "Tint"], ["outline", "Outline"], ["cutout", "Cut-out"]];

/** A pointer that moves less than this many CSS pixels clicks. */
const STILL = 5;

let tool = "add";
let view = "tint";
let hovered = null; // index of a found object
let pressed = null; // where the pointer went down: {px, py, x, y}
let dragged = null; // where it is now, while it draws a box
let stroke = null; // {adds, radius, points}
let cross = null; // the keyboard's crosshair, {px, py}
let corner = null; // the first corner of a box made by keys
let photo = null; // the decoded picture
const masks = new Map(); // by object's key: {id, mask}, the last one that could be read
let foundMasks = [];
let viewer;
let setTool;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const brushes = () => tool === "brush" || tool === "eraser";

/** The brush's radius in pixels of the photo: from a 400th to a fifth of its long side. */
const radius = () => (Math.max(state.photo.width, state.photo.height) / 400)
  * 80 ** ((Number($("brush-size").value) - 1) / 99);

export function startObject(theViewer) {
  viewer = theViewer;
  setTool = radios($("tool"), "tool", TOOLS, tool, chooseTool);
  radios($("mask-view"), "mask-view", VIEWS.map(([value, name]) => [value, name]), view, (value) => {
    view = value;
    viewer.redraw();
  });
  $("brush-size").addEventListener("input", () => viewer.redraw());
  $("undo").addEventListener("click", undo);
  $("redo").addEventListener("click", redo);
  $("clear").addEventListener("click", clearPick);
  on("objects pick found", refresh);
}

export function showPhoto(image) {
  photo = image;
  hovered = stroke = cross = corner = null;
  masks.clear();
  viewer.redraw();
}

function chooseTool(value) {
  tool = value;
  corner = null;
  show($("brush-size-field"), brushes());
  viewer.canvas.dataset.tool = tool;
  viewer.redraw();
}

/** Load the masks that are to be drawn. */
async function refresh() {
  $("undo").disabled = !state.active || state.active.at === 0;
  $("redo").disabled = !state.active || state.active.at === state.active.picks.length - 1;
  $("clear").disabled = !state.active || pick(state.active).mask === null;
  const { found } = state;
  const loads = state.objects.map(async (object) => {
    const { mask: id } = pick(object);
    if (id === null) masks.delete(object.key);
    else if (masks.get(object.key)?.id !== id) {
      const mask = await shownMask(id);
      if (pick(object).mask === id) masks.set(object.key, { id, mask });
    }
  });
  await Promise.allSettled(loads);
  const loaded = await Promise.all(found.map((one) => shownMask(one.mask).catch(() => null)));
  if (found === state.found) foundMasks = loaded;
  for (const key of masks.keys()) {
    if (!state.objects.some((object) => object.key === key)) masks.delete(key);
  }
  viewer.redraw();
}

const taken = (index) => state.objects.some((object) => pick(object).found === index);

/** The found object at a place, the smallest where several are; null for none. */
function foundAt({ px, py }) {
  if (!viewer.inside({ px, py })) return null;
  return state.found.map((one, index) => index)
    .filter((index) => foundMasks[index] && hits(foundMasks[index], state.photo, px, py))
    .sort((one, other) => state.found[one].area - state.found[other].area)[0] ?? null;
}

const pixel = ({ px, py }) => [Math.min(state.photo.width - 1, Math.max(0, Math.floor(px))),
  Math.min(state.photo.height - 1, Math.max(0, Math.floor(py)))];

function clickAt(place, takesAway) {
  if (!viewer.inside(place)) return;
  const chosen = pick(state.active);
  const point = pixel(place);
  const found = foundAt(place);
  const untouched = chosen.points.length + chosen.not.length === 0 && !chosen.box;
  if (takesAway) {
    if (chosen.mask === null) {
      tell("Point at the object first");
      return;
    }
    const points = untouched && chosen.at ? [chosen.at] : chosen.points;
    changePick({ points, not: [...chosen.not, point] });
  } else if (untouched && !chosen.strokes.length && found !== null) {
    takeFound(found, point);
  } else {
    changePick({ points: [...chosen.points, point] });
  }
}

function boxOf(one, other) {
  const [x0, y0] = pixel({ px: Math.min(one.px, other.px), py: Math.min(one.py, other.py) });
  const [x1, y1] = pixel({ px: Math.max(one.px, other.px), py: Math.max(one.py, other.py) });
  return [x0, y0, x1 + 1, y1 + 1];
}

function takeBox(one, other) {
  changePick({ box: boxOf(one, other), points: [], not: [], strokes: [] });
}

export const objectMode = {
  draw(context) {
    if (photo) draw(context);
  },

  down(place, event) {
    if (!photo) return;
    cross = null;
    if (brushes()) {
      stroke = { adds: tool === "brush" && !event.altKey, radius: radius(),
        points: [[place.px, place.py]] };
    } else pressed = place;
    viewer.redraw();
  },

  move(place) {
    if (stroke) stroke.points.push([place.px, place.py]);
    else if (pressed) {
      const far = Math.hypot(place.x - pressed.x, place.y - pressed.y) >= STILL;
      if (dragged || far) dragged = place;
    }
    this.pointer = place;
    viewer.redraw();
  },

  up(place, event) {
    if (stroke) endStroke();
    else if (dragged) takeBox(pressed, dragged);
    else if (pressed && tool === "box") takeCorner(place);
    else if (pressed) clickAt(place, event.shiftKey || tool === "less");
    pressed = dragged = null;
    viewer.redraw();
  },

  hover(place) {
    this.pointer = place;
    const now = brushes() || !photo ? null : foundAt(place);
    if (now !== hovered || brushes() || corner) viewer.redraw();
    hovered = now;
  },

  leave() {
    hovered = this.pointer = null;
    viewer.redraw();
  },

  cancel() {
    pressed = dragged = stroke = null;
    viewer.redraw();
  },

  key(event) {
    if (!photo) return false;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (steps[event.key]) {
      const by = event.altKey ? 1 : 12 / viewer.scale;
      cross ??= { px: state.photo.width / 2, py: state.photo.height / 2 };
      const [x, y] = pixel({ px: cross.px + by * steps[event.key][0],
        py: cross.py + by * steps[event.key][1] });
      cross = { px: x + 0.5, py: y + 0.5 };
      hovered = foundAt(cross);
      tell(`${x}, ${y}${hovered === null ? "" : `, ${state.found[hovered].class}`}`);
      viewer.redraw();
    } else if (event.key === "Enter") enter(event.shiftKey);
    else return shortcut(event);
    return true;
  },
};

function enter(shift) {
  cross ??= { px: state.photo.width / 2, py: state.photo.height / 2 };
  if (brushes()) {
    stroke = { adds: tool === "brush" && !shift, radius: radius(), points: [[cross.px, cross.py]] };
    endStroke();
  } else if (tool !== "box") clickAt(cross, shift || tool === "less");
  else takeCorner(cross);
  viewer.redraw();
}

/** A box by two clicks, for those who cannot drag. */
function takeCorner(place) {
  if (corner) {
    takeBox(corner, place);
    corner = null;
  } else {
    corner = place;
    tell("First corner set; now the opposite one");
  }
}

function shortcut(event) {
  const size = (by) => {
    $("brush-size").value = Number($("brush-size").value) + by;
    viewer.redraw();
  };
  const choose = (value) => {
    setTool(value);
    chooseTool(value);
    tell(TOOLS.find(([name]) => name === value)[1]);
  };
  const actions = { v: () => choose("add"), x: () => choose("box"), b: () => choose("brush"),
    e: () => choose("eraser"), z: event.shiftKey ? redo : undo, "[": () => size(-5),
    "]": () => size(5), escape: clearPick };
  const action = actions[event.key.toLowerCase()];
  action?.();
  return Boolean(action);
}

function endStroke() {
  changePick({ strokes: [...pick(state.active).strokes, stroke] });
  const { mask = null } = masks.get(state.active.key) ?? {};
  // Shown at once, until the server's answer takes its place.
  masks.set(state.active.key, { id: null, mask: withStroke(mask) });
  stroke = null;
}

function withStroke(mask) {
  const { width, height } = mask ?? photo;
  return withStrokes(mask, state.photo, [stroke], width, height);
}

function draw(context) {
  viewer.drawPicture(context, photo);
  const shown = state.objects.map((object) => {
    let mask = masks.get(object.key)?.mask;
    if (object === state.active && stroke) mask = withStroke(mask ?? null);
    return { object, mask };
  }).filter(({ mask }) => mask);
  if (view === "cutout" && shown.length) {
    drawOutside(context, viewer, shown.map(({ mask }) => mask), getComputedStyle($("view")).backgroundColor, 1);
  }
  state.found.forEach((one, index) => {
    if (!foundMasks[index] || taken(index) || (view === "cutout" && shown.length)) return;
    if (index === hovered) drawTint(context, viewer, foundMasks[index], "white", 0.25, `f${index}`);
    drawOutline(context, viewer, foundMasks[index], "white", index === hovered ? 2.5 : 1.25, `f${index}`);
  });
  for (const { object, mask } of shown) {
    const color = css(colorOf(object));
    if (view === "tint") drawTint(context, viewer, mask, color, 0.24, object.key);
    if (view !== "cutout") {
      drawOutline(context, viewer, mask, color, object === state.active ? 2.5 : 1.75, object.key);
    }
  }
  if (state.active) drawMarks(context);
}

function drawMarks(context) {
  const at = ([x, y]) => [viewer.left + (x + 0.5) * viewer.scale, viewer.top + (y + 0.5) * viewer.scale];
  const chosen = pick(state.active);
  const dot = (point, color, adds) => {
    const [x, y] = at(point);
    context.beginPath();
    context.arc(x, y, 6, 0, 7);
    context.fillStyle = color;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = "white";
    context.stroke();
    context.beginPath();
    context.moveTo(x - 3, y);
    context.lineTo(x + 3, y);
    if (adds) {
      context.moveTo(x, y - 3);
      context.lineTo(x, y + 3);
    }
    context.stroke();
  };
  for (const point of chosen.points) dot(point, css(colorOf(state.active)), true);
  for (const point of chosen.not) dot(point, "black", false);
  if (dragged) drawBox(context, boxOf(pressed, dragged));
  else if (corner) drawBox(context, boxOf(corner, cross ?? objectMode.pointer ?? corner));
  else if (chosen.box && view !== "cutout") drawBox(context, chosen.box);
  const under = cross ?? objectMode.pointer;
  if (brushes() && under) drawCircle(context, under);
  if (cross && document.activeElement === viewer.canvas) drawCross(context);
}

function twice(context, path) {
  for (const [width, color] of [[3, "rgb(0 0 0 / 60%)"], [1.5, "white"]]) {
    context.lineWidth = width;
    context.strokeStyle = color;
    path();
  }
}

function drawBox(context, [x0, y0, x1, y1]) {
  context.setLineDash([6, 4]);
  twice(context, () => context.strokeRect(viewer.left + x0 * viewer.scale,
    viewer.top + y0 * viewer.scale, (x1 - x0) * viewer.scale, (y1 - y0) * viewer.scale));
  context.setLineDash([]);
}

function drawCircle(context, { px, py }) {
  twice(context, () => {
    context.beginPath();
    context.arc(viewer.left + px * viewer.scale, viewer.top + py * viewer.scale,
      radius() * viewer.scale, 0, 7);
    context.stroke();
  });
}

function drawCross(context) {
  const x = viewer.left + cross.px * viewer.scale;
  const y = viewer.top + cross.py * viewer.scale;
  twice(context, () => {
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 14 * dx, y + 14 * dy);
    }
    context.stroke();
  });
}

