// A result beside what it was made from: a slider, side by side, zoom to pixels, seam and mask.

import * as api from "./api.js";
import { $, h, radios, show, toast } from "./dom.js";
import { drawOutline, drawTint, maskOfRun } from "./masks.js";
import { on, state } from "./state.js";

const VIEWS = [["slider", "Before and after under a slider", "slider"],
  ["pair", "Side by side", "pair"]];

/** How near to the slider's line, in CSS pixels, a drag moves it in a picture that is zoomed. */
const NEAR = 28;

let viewer;
let view = "slider";
let against = ""; // "" for the photo, or the id of another run
let at = 0.5; // where the slider is, of what is seen of the picture
let before = null;
let after = null;
let mask = null;
let box = null; // where `after` lies, if it is a part of the photo
let loaded = ""; // what `before` and `after` were loaded for
let dragging = null;

export function startCompare(theViewer) {
  viewer = theViewer;
  radios($("compare-view"), "compare-view", VIEWS, view, (value) => {
    view = value;
    arrange();
  });
  $("split-at").addEventListener("input", () => {
    at = Number($("split-at").value) / 100;
    viewer.redraw();
  });
  $("against").addEventListener("change", () => {
    against = $("against").value;
    load();
  });
  for (const id of ["show-seam", "show-mask"]) $(id).addEventListener("click", () => toggle(id));
  on("mode", arrange);
  on("result mode", load);
  on("runs result", listOthers);
}

function toggle(id) {
  $(id).setAttribute("aria-pressed", String(!pressed(id)));
  load();
}

const pressed = (id) => $(id).getAttribute("aria-pressed") === "true";

export const runOf = (id) => state.runs.find((run) => run.id === id);
export const isOver = (run) => run?.state === "finished" || run?.state === "interrupted";

/** Whether a run has a picture to show: one that was stopped early may have none. */
export const isDone = (run) => isOver(run) && run.has_result;

/** What a run is called: pictures are numbered in the order in which they were asked for. */
export function nameOfRun(run) {
  if (run.preview) return "preview";
  return `picture ${state.runs.filter((one) => !one.preview).indexOf(run) + 1}`;
}

function arrange() {
  const result = state.mode === "result";
  viewer.setPanes(result && view === "pair" ? 2 : 1);
  show($("split"), result && view === "slider");
  viewer.redraw();
}

function listOthers() {
  const content = runOf(state.result)?.spec.content;
  const others = state.runs.filter((run) => isDone(run) && !run.preview
    && run.id !== state.result && run.spec.content === content);
  if (!others.some((run) => run.id === against)) against = "";
  show($("against-field"), others.length);
  $("against").replaceChildren(h("option", { value: "" }, "the photo"),
    ...others.map((run) => h("option", { value: run.id }, nameOfRun(run))));
  $("against").value = against;
}

/** The picture of a run at full size, or as shown. */
const resultOf = (id, full) => api.picture(api.url.run(id, full ? "result" : "result?shown=1"));

/** A browser may be unable to read a photo's file (TIFF, HEIC): then the shown one does. */
const photoOf = async (id, full) => {
  if (!full) return api.picture(api.url.photo(id));
  return api.picture(api.url.file(id)).catch(() => api.picture(api.url.photo(id)));
};

async function load() {
  const run = runOf(state.result);
  if (state.mode !== "result" || !state.photo || !run) return;
  const full = needsAll();
  const key = [state.photo.id, run.id, run.state, against, full].join(" ");
  try {
    if (key !== loaded) {
      const other = against ? resultOf(against, full) : photoOf(state.photo.id, full);
      const [one, two] = await Promise.all([other, isDone(run) ? resultOf(run.id, full) : null]);
      if (run.id !== state.result) return;
      before = one;
      if (two) [after, box] = [two, null];
      else if (!loaded.includes(run.id)) after = null;
      loaded = key;
    }
    const masks = pressed("show-seam") || pressed("show-mask");
    mask = masks && isDone(run) && run.spec.objects
      ? await maskOfRun(run) : null;
  } catch (error) {
    toast(error);
  }
  viewer.redraw();
}

/** The present picture of a run that is being painted. */
export async function showLive(id, place) {
  if (id !== state.result) return;
  const picture = await api.picture(`${api.url.run(id, "live")}?at=${performance.now()}`).catch(() => null);
  if (!picture || id !== state.result || isDone(runOf(id))) return;
  [after, box] = [picture, place];
  viewer.redraw();
}

/** Whether pixels of the file are to be seen, and the shown picture has fewer. */
function needsAll() {
  const shown = 1600 / Math.max(viewer.width, viewer.height);
  return shown < 1 && viewer.scale * viewer.ratio > shown * 1.1;
}

/** What is seen of the picture, in CSS pixels of a pane: [left, right]. */
function sight() {
  return [Math.max(0, viewer.left),
    Math.min(viewer.paneWidth, viewer.left + viewer.width * viewer.scale)];
}

const line = () => sight()[0] + at * (sight()[1] - sight()[0]);

function moveLine(x) {
  const [left, right] = sight();
  at = Math.min(1, Math.max(0, (x - left) / Math.max(1, right - left)));
  $("split-at").value = Math.round(at * 100);
  viewer.redraw();
}

export const resultMode = {
  draw(context) {
    if (!before) return;
    if (needsAll() && !loaded.endsWith("true")) load();
    if (view === "pair") drawPair(context);
    else drawSplit(context);
    caption();
  },

  down({ x }) {
    const slides = view === "slider" && (viewer.fitted || Math.abs(x - line()) < NEAR);
    dragging = { slides, x: 0, y: 0 };
    if (slides) moveLine(x);
  },

  move({ x }, event) {
    if (dragging?.slides) moveLine(x);
    else if (dragging) {
      if (dragging.x) viewer.pan(event.clientX - dragging.x, event.clientY - dragging.y);
      [dragging.x, dragging.y] = [event.clientX, event.clientY];
    }
  },

  up() {
    dragging = null;
  },

  cancel() {
    dragging = null;
  },

  key(event) {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    const button = { s: "show-seam", m: "show-mask" }[event.key.toLowerCase()];
    if (step) moveLine(line() + step * (sight()[1] - sight()[0]));
    else if (button) toggle(button);
    return Boolean(step ?? button);
  },
};

function drawResult(context) {
  if (!after || box) viewer.drawPicture(context, before);
  if (after && !box) viewer.drawPicture(context, after);
  else if (after) {
    const [x0, y0, x1, y1] = box;
    context.drawImage(after, viewer.left + x0 * viewer.scale, viewer.top + y0 * viewer.scale,
      (x1 - x0) * viewer.scale, (y1 - y0) * viewer.scale);
  }
  if (!mask) return;
  const color = getComputedStyle(document.documentElement).getPropertyValue("--object-0");
  if (pressed("show-mask")) drawTint(context, viewer, mask, color, 0.5, "result");
  if (pressed("show-seam")) drawOutline(context, viewer, mask, "white", 1.5, "result");
}

function clipped(context, x, width, draw) {
  context.save();
  context.beginPath();
  context.rect(x, 0, width, viewer.canvas.clientHeight);
  context.clip();
  draw();
  context.restore();
}

function drawSplit(context) {
  const x = line();
  clipped(context, 0, x, () => viewer.drawPicture(context, before));
  clipped(context, x, viewer.paneWidth - x, () => drawResult(context));
  Object.assign($("handle").style, { transform: `translateX(${x}px)`,
    top: `${Math.max(0, viewer.top)}px`,
    bottom: `${Math.max(0, viewer.canvas.clientHeight - viewer.top - viewer.height * viewer.scale)}px` });
}

function drawPair(context) {
  const pane = viewer.paneWidth;
  clipped(context, 0, pane - 1, () => viewer.drawPicture(context, before));
  clipped(context, pane + 1, pane - 1, () => {
    context.translate(pane, 0);
    drawResult(context);
  });
}

function caption() {
  const run = runOf(state.result);
  const names = [against ? nameOfRun(runOf(against)) : "photo",
    run?.preview ? "preview" : isDone(run) ? "painted" : "being painted"];
  ["caption-left", "caption-right"].forEach((id, index) => {
    show($(id), state.mode === "result");
    if ($(id).textContent !== names[index]) $(id).textContent = names[index];
  });
}
