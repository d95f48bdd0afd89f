// The style of the active object: thumbnails, ordered by the ranker; stroke size and colors.

import * as api from "./api.js";
import { $, errorAt, h, icon, radios, tell, toast } from "./dom.js";
import { changed, isEmpty, on, pick, state } from "./state.js";

/** How long a mask stays as it is before styles are rated for it, in milliseconds. */
const CALM = 500;

const COLORS = [["style", "Painting"], ["content", "Photo"]];

let setColor;
let ranked = ""; // photo and mask that the order is for
let timer = 0;
let waiting = null; // an order that comes into force once the pointer is elsewhere

export function startStyle() {
  setColor = radios($("color"), "color", COLORS, "style", (value) => {
    state.active.color = value === "style" ? null : value;
    changed("settings");
  });
  $("scale").addEventListener("input", () => {
    const scale = Number((2 ** Number($("scale").value)).toFixed(2));
    const style = { ...state.active.style };
    if (scale === 1) delete style.scale;
    else style.scale = scale;
    if (state.active.style) state.active.style = style;
    $("scale-value").textContent = scaleName(scale);
    changed("settings");
  });
  $("style-file").addEventListener("change", () => {
    addStyles([...$("style-file").files]);
    $("style-file").value = "";
  });
  $("styles").addEventListener("pointerleave", () => takeOrder(waiting));
  on("styles", list);
  on("objects settings", reflect);
  on("pick objects", rankSoon);
}

const scaleName = (scale) => (scale === 1 ? "as painted" : `× ${scale}`);

export const nameOf = (id) => state.session.styles.find((style) => style.id === id)?.name ?? "style";

/** The id of an object's only style picture, or null. */
export function styleId(object) {
  const images = object.style?.images ?? [];
  return images.length === 1 ? (/^style:(\w+)$/.exec(images[0])?.[1] ?? null) : null;
}

export async function addStyles(files) {
  for (const file of files) {
    try {
      const style = await api.addStyle(file);
      state.session.styles.unshift(style);
      state.order.unshift(style.id);
      choose(style.id);
      changed("styles");
    } catch (error) {
      errorAt("style-error", error);
    }
  }
  ranked = "";
  rankSoon();
}

function choose(id) {
  errorAt("style-error", null);
  state.active.style = { ...state.active.style, images: [`style:${id}`] };
  delete state.active.style.weights;
  delete state.active.style.choose_from;
  delete state.active.style.ranker;
  changed("settings");
  tell(`Style: ${nameOf(id)}`);
}

function list() {
  const add = h("button", { class: "tile add", onclick: () => $("style-file").click() },
    icon("plus"), h("span", {}, "Add a painting"));
  const tiles = state.order.map((id, index) => {
    const best = index === 0 && ranked !== "" && state.order.length > 1;
    const name = nameOf(id);
    return h("label", { class: "tile", title: name },
      h("input", { type: "radio", name: "style", value: id, onchange: () => choose(id),
        "aria-label": best ? `${name}, suits best` : name }),
      h("img", { src: api.url.thumbnail(id), alt: "", loading: "lazy" }),
      best ? h("span", { class: "best", "aria-hidden": "true" }, "suits best") : null);
  });
  $("styles").replaceChildren(...tiles, add);
  reflect();
}

/** Show what the active object has. */
function reflect() {
  if (!state.active) return;
  const chosen = styleId(state.active);
  for (const input of $("styles").querySelectorAll("input")) input.checked = input.value === chosen;
  const scale = state.active.style?.scale ?? 1;
  $("scale").value = Math.log2(scale);
  $("scale").disabled = !state.active.style;
  $("scale-value").textContent = scaleName(scale);
  $("scale").setAttribute("aria-valuetext", scaleName(scale));
  setColor(state.active.color?.of ?? state.active.color ?? "style");
  $("style-hint").textContent = hint(chosen);
}

function hint(chosen) {
  if (chosen) return nameOf(chosen);
  if (state.active.style?.choose_from) return "The best of a folder, as the spec says";
  if (state.active.style) return "Several pictures, as the spec says";
  return state.order.length ? "Choose what it is to look like." : "Add a painting, or drop one here.";
}

/** Order the styles for the active object, once its mask stays as it is. */
function rankSoon() {
  clearTimeout(timer);
  if (!state.active || isEmpty(state.active) || state.order.length < 2) return;
  const { photo } = state;
  const { mask } = pick(state.active);
  const key = `${photo.id} ${mask}`;
  if (key === ranked) return;
  timer = setTimeout(async () => {
    try {
      const ratings = await api.rank(photo.id, mask);
      if (photo !== state.photo || mask !== pick(state.active).mask) return;
      ranked = key;
      const order = ratings.map((rating) => rating.style);
      const others = state.order.filter((id) => !order.includes(id));
      waiting = [...order, ...others];
      if (!$("styles").matches(":hover, :focus-within")) takeOrder(waiting);
    } catch (error) {
      toast(error);
    }
  }, CALM);
}

function takeOrder(order) {
  if (!order) return;
  state.order = order;
  waiting = null;
  changed("styles");
}
