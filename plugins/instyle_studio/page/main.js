// instyle studio: brings the parts of the page together.

import * as api from "./api.js";
import { resultMode, startCompare } from "./compare.js";
import { $, fillIcons, show, toast } from "./dom.js";
import { startHistory } from "./history.js";
import { objectMode, startObject } from "./object.js";
import { placeTags, startObjects } from "./objects.js";
import { startPaint, usePreset, watch } from "./paint.js";
import { openPhoto, startPhoto, usePhoto } from "./photo.js";
import { findAll, startSelection } from "./selection.js";
import { startSettings } from "./settings.js";
import { changed, fromSpec, newObject, on, state } from "./state.js";
import { addStyles, startStyle } from "./style.js";
import { Viewer } from "./viewer.js";

/** How often the page asks whether the networks are loaded, in milliseconds. */
const ASK = 500;

const viewer = new Viewer($("canvas"));

function busy(text) {
  $("busy-text").textContent = text ?? "";
  show($("busy"), text);
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  localStorage.setItem("theme", name);
}

function startTheme() {
  const kept = localStorage.getItem("theme");
  if (kept) theme(kept);
  $("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme
      ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    theme(dark === "dark" ? "light" : "dark");
    viewer.redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => viewer.redraw());
}

function startZoom() {
  $("zoom-in").addEventListener("click", () => viewer.zoom(1.5));
  $("zoom-out").addEventListener("click", () => viewer.zoom(1 / 1.5));
  $("zoom-fit").addEventListener("click", () => viewer.fit());
  $("zoom-value").addEventListener("click", () => viewer.zoom(1 / (viewer.scale * viewer.ratio)));
  viewer.onchange = () => {
    const percent = Math.round(viewer.scale * viewer.ratio * 100);
    $("zoom-value").textContent = `${percent} %`;
    $("zoom-value").setAttribute("aria-label", `${percent} %; show one pixel for one pixel`);
    placeTags(viewer);
  };
}

function startModes() {
  $("tab-object").addEventListener("click", () => setMode("object"));
  $("tab-result").addEventListener("click", () => setMode("result"));
  on("mode result photo", () => {
    const result = state.mode === "result";
    viewer.mode = result ? resultMode : objectMode;
    $("tab-object").setAttribute("aria-pressed", String(!result));
    $("tab-result").setAttribute("aria-pressed", String(result));
    $("canvas").setAttribute("aria-describedby", result ? "keys-result" : "keys-object");
    $("canvas").setAttribute("aria-label", result ? "Result" : "Photo, to point at objects");
    show($("tabs"), state.photo && state.result);
    show($("tools-object"), state.photo && !result);
    show($("tools-result"), state.photo && result);
    show($("zoom"), state.photo);
    for (const id of ["caption-left", "caption-right"]) show($(id), result);
    document.body.dataset.mode = state.photo ? state.mode : "welcome";
    viewer.redraw();
  });
}

function setMode(mode) {
  state.mode = mode;
  changed("mode");
}

/** A picture that is dropped on the styles is a style; anywhere else it is the photo. */
function startDrops() {
  const styles = (event) => event.target.closest?.("#step-style");
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      document.body.dataset.drop = styles(event) ? "style" : "photo";
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) delete document.body.dataset.drop;
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    delete document.body.dataset.drop;
    const files = [...event.dataTransfer.files];
    if (files.length === 0) return;
    if (styles(event)) addStyles(files);
    else openPhoto(files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    if (file) openPhoto(file);
  });
}

async function waitForNetworks() {
  while (!state.session.ready) {
    await new Promise((resolve) => {
      setTimeout(resolve, ASK);
    });
    const { ready, trouble } = await api.session();
    state.session.ready = ready;
    if (trouble) throw trouble;
  }
}

/** Show a photo as it was left: with the last run, and what that was made with. */
async function comeBack(photo, run) {
  const mine = run?.spec.content === `photo:${photo.id}`;
  await usePhoto(photo, mine ? run.id : null);
  if (!mine || state.photo !== photo) return;
  fromSpec(run.spec);
  await findAll();
}

async function begin() {
  state.session = await api.session();
  state.order = state.session.styles.map((style) => style.id);
  state.runs = state.session.runs;
  state.objects = [newObject()];
  [state.active] = state.objects;
  await usePreset(state.session.defaults.preset);
  changed("photo", "objects", "styles", "settings", "runs", "mode");
  const open = state.runs.filter((run) => ["queued", "running"].includes(run.state));
  const { photos } = state.session;
  const shown = open.at(0)?.spec.content ?? state.runs.at(-1)?.spec.content;
  const photo = photos.find((one) => `photo:${one.id}` === shown)
    ?? photos.find((one) => one.id === state.session.photo) ?? photos.at(-1);
  show($("welcome"), !photo);
  if (photo) comeBack(photo, open.at(0) ?? state.runs.at(-1)).catch(toast);
  watch();
  await waitForNetworks();
}

fillIcons();
startTheme();
startZoom();
startModes();
startSelection(busy);
startPhoto(viewer, busy);
startObject(viewer);
startObjects();
startCompare(viewer);
startStyle();
startPaint();
startHistory();
startSettings();
startDrops();
begin().catch(toast);
