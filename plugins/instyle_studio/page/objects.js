// The list of objects beside the picture, the names on it, and masks as files.

import * as api from "./api.js";
import { $, errorAt, h, icon, show } from "./dom.js";
import { addObject, removeObject, takeFound, takeMask } from "./selection.js";
import { changed, colorOf, isEmpty, label, on, pick, state } from "./state.js";
import { nameOf, styleId } from "./style.js";

export function startObjects() {
  $("another").addEventListener("click", addObject);
  $("upload-mask").addEventListener("click", () => $("mask-file").click());
  $("mask-file").addEventListener("change", () => {
    const [file] = $("mask-file").files;
    $("mask-file").value = "";
    if (file) takeMask(file);
  });
  document.addEventListener("click", ({ target }) => {
    if (!$("mask-menu").querySelector("summary").contains(target)) $("mask-menu").open = false;
  });
  $("mask-menu").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    $("mask-menu").open = false;
    $("mask-menu").querySelector("summary").focus();
  });
  on("objects pick settings photo found", list);
  on("objects pick photo found mode", tag);
}

function list() {
  if (!state.active) return;
  const chosen = state.objects.filter((object) => !isEmpty(object));
  $("objects").replaceChildren(...(chosen.length ? state.objects.map(row) : []));
  $("object-hint").textContent = hint(chosen);
  show($("another"), chosen.length > 0 && chosen.length === state.objects.length);
  const { mask } = pick(state.active);
  show($("object-buttons"), state.photo !== null);
  for (const [id, href, suffix] of [["download-mask", mask && api.url.mask(mask), "mask"],
    ["download-object", mask && api.url.cutout(mask, state.photo.id), "cut-out"]]) {
    show($(id), mask);
    if (mask) {
      $(id).href = href;
      $(id).download = `${state.photo.name.replace(/\.\w+$/, "")}-${suffix}.png`;
    }
  }
}

function hint(chosen) {
  if (!state.photo) {
    return state.session?.photos.length ? "The photo is being opened." : "First open a photo.";
  }
  if (chosen.length) return "";
  return state.found.length ? "Click an outlined object, or anything else."
    : "Click an object, or draw a box around it. With none, the whole picture is painted.";
}

function row(object) {
  const style = styleId(object);
  const take = () => {
    state.active = object;
    errorAt("object-error", null);
    changed("objects", "settings");
  };
  const name = isEmpty(object) ? "click the next object" : label(object);
  const swatch = h("span", { class: `swatch color-${state.objects.indexOf(object) % 5}` });
  return h("li", {},
    h("button", { class: "object", onclick: take,
      "aria-pressed": String(object === state.active) },
    swatch, h("span", { class: "name" }, name),
    style ? h("img", { src: api.url.thumbnail(style), alt: `in the style of ${nameOf(style)}` }) : null),
    h("button", { class: "icon quiet", "aria-label": `Remove ${name}`,
      onclick: () => removeObject(object) }, icon("clear")));
}

/** The names of found objects, as buttons on the picture. */
function tag() {
  const free = state.found.map((one, index) => [one, index]).filter(([, index]) =>
    !state.objects.some((object) => pick(object).found === index));
  const blank = state.active && pick(state.active).points.length === 0;
  const all = state.mode === "object" && blank ? free : [];
  $("tags").replaceChildren(...all.map(([one, index]) =>
    h("button", { class: "tag", "data-index": index, onclick: () => takeFound(index) }, one.class)));
  placeTags();
}

let viewer;

export function placeTags(theViewer = viewer) {
  viewer = theViewer;
  if (!viewer) return;
  for (const element of $("tags").children) {
    const [x0, y0, x1] = state.found[element.dataset.index]?.box ?? [0, 0, 0, 0];
    const bound = (value, room) => Math.min(room - 30, Math.max(30, value));
    const x = bound(viewer.left + ((x0 + x1) / 2) * viewer.scale, viewer.canvas.clientWidth);
    const y = bound(viewer.top + y0 * viewer.scale + 16, viewer.canvas.clientHeight);
    element.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(-50%, -50%)`;
  }
}
