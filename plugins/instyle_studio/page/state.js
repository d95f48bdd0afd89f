// What the page knows. It is an editor of specs: `toSpec` and `fromSpec` are the whole of its state.

import { strengthened } from "./strength.js";

export const state = {
  session: null,
  schema: null,
  photo: null, // {id, name, width, height}
  found: [], // what the default segmenter finds: {class, instance, box, mask, ...}
  objects: [], // {key, picks, at, style, color, rest}
  active: null, // the object that is edited
  base: {}, // keys of the spec for all objects: losses, optimizer, merger, size, ...
  preset: "default",
  strength: 0, // losses of the style are multiplied by 2 to this
  order: [], // ids of styles, as shown
  runs: [], // as the server tells them
  result: null, // id of the run that is shown
  mode: "object", // or "result"
};

const listeners = {};

/** Call `listener` when a part changes: photo, objects, pick, styles, settings, runs, result, mode. */
export function on(parts, listener) {
  for (const part of parts.split(" ")) (listeners[part] ??= []).push(listener);
}

export function changed(...parts) {
  const all = new Set(parts.flatMap((part) => listeners[part] ?? []));
  for (const listener of all) listener();
}

export const COLORS = ["--object-0", "--object-1", "--object-2", "--object-3", "--object-4"];

let made = 0;

/** A selection, before anything is selected. `raw` is what a spec says that the page has no word for. */
export const nothing = () => ({ found: null, points: [], not: [], box: null, upload: null,
  strokes: [], raw: null, mask: null });

export function newObject() {
  const last = state.objects.at(-1);
  const object = { key: made, picks: [nothing()], at: 0, style: null,
    color: last?.color ?? null, rest: {} };
  made += 1;
  return object;
}

export const pick = (object) => object.picks[object.at];
export const isEmpty = (object) => pick(object).mask === null;

export function label(object) {
  const chosen = pick(object);
  if (chosen.found !== null) return state.found[chosen.found].class;
  const named = chosen.raw?.select?.class ?? chosen.raw?.select?.text;
  return String(named ?? `object ${state.objects.indexOf(object) + 1}`);
}

export const colorOf = (object) => COLORS[state.objects.indexOf(object) % COLORS.length];

/** What `objects` of the spec says to select. */
function selection(chosen) {
  if (chosen.raw && !chosen.strokes.length) return chosen.raw;
  // What is seen is painted: a preset's own segmenter could find something else.
  if (chosen.upload || chosen.strokes.length || state.base.segmenter) {
    return { segmenter: { use: "mask", path: `mask:${chosen.mask}` } };
  }
  if (chosen.found === null) return { select: prompt(chosen) };
  const { class: name, instance } = state.found[chosen.found];
  return { select: { class: name, instance } };
}

/** Points and box as under `select` in a spec. */
export function prompt({ points, not, box }) {
  return { ...(points.length && { points }), ...(not.length && { not }), ...(box && { box }) };
}

export function toSpec() {
  const styled = (object) => ({
    ...(object.style && { style: object.style }),
    ...(object.color && { color: object.color }),
  });
  const chosen = state.objects.filter((object) => !isEmpty(object));
  const spec = { version: 1, content: `photo:${state.photo.id}`, ...state.base,
    losses: strengthened(state.base.losses, state.strength) };
  if (chosen.length === 0) return { ...spec, ...styled(state.active) };
  return { ...spec, objects: chosen.map((object) =>
    ({ ...selection(pick(object)), ...styled(object), ...object.rest })) };
}

/** What the runs of a spec begin with: everything but the photo, its objects and the output. */
export function baseOf({ version, content, output, objects, start, ...base }) {
  if (!objects) {
    delete base.style;
    delete base.color;
  }
  return base;
}

/** Take over a spec; photo and styles are to be known already. Masks are found by `object.js`. */
export function fromSpec(spec) {
  state.base = baseOf(spec);
  state.preset = "";
  state.strength = 0;
  state.objects = (spec.objects ?? []).map((entry) => {
    const { segmenter, select = {}, style, color, ...rest } = entry;
    return { ...newObject(), picks: [picked(segmenter, select)], color: color ?? null, rest,
      style: asStyle(style ?? spec.style ?? null) };
  });
  if (state.objects.length === 0) {
    state.objects = [{ ...newObject(), style: asStyle(spec.style ?? null),
      color: spec.color ?? null }];
  }
  [state.active] = state.objects;
  changed("objects", "settings");
}

const asStyle = (style) => (typeof style === "string" ? { images: [style] } : style);

function picked(segmenter, select) {
  const mask = /^mask:(\w+)$/.exec(segmenter?.path ?? "")?.[1];
  if (segmenter?.use === "mask" && mask && !segmenter.add && !segmenter.subtract) {
    return { ...nothing(), upload: mask, mask };
  }
  const index = state.found.findIndex(({ class: name, instance }) =>
    name === select.class && [instance, "largest"].includes(select.instance ?? "largest"));
  if (index >= 0 && Object.keys(select).every((key) => ["class", "instance"].includes(key))) {
    return { ...nothing(), found: index, mask: state.found[index].mask };
  }
  const { points = [], not = [], box = null, point, ...others } = select;
  const pointed = Object.keys(others).length === 0 && !select.class;
  if (pointed && (points.length || point || box)) {
    return { ...nothing(), points: point ? [point] : points, not, box };
  }
  return { ...nothing(), raw: { ...(segmenter && { segmenter }), select } };
}
