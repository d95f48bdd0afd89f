// The picks of objects: each change is a new pick, so that undo and redo go through them; the
// server finds the mask of each.

import * as api from "./api.js";
import { errorAt, tell } from "./dom.js";
import { asPng, maskAt, withStrokes, workSize } from "./masks.js";
import { changed, isEmpty, label, newObject, nothing, pick, prompt, state } from "./state.js";

let asked = 0;
let busy = () => {};

/** `whileBusy(text or null)` shows that an object is being found. */
export function startSelection(whileBusy) {
  busy = whileBusy;
}

function push(object, chosen) {
  object.picks = [...object.picks.slice(0, object.at + 1), chosen];
  object.at = object.picks.length - 1;
  changed("pick");
}

/** Take what the default segmenter found; `at` is the pixel that was clicked, or null. */
export function takeFound(index, at = null) {
  const { box, mask } = state.found[index];
  const middle = [Math.floor((box[0] + box[2]) / 2), Math.floor((box[1] + box[3]) / 2)];
  errorAt("object-error", null);
  push(state.active, { ...nothing(), found: index, mask, at: at ?? middle });
  tell(`${label(state.active)} selected`);
}

/** Change the active object's pick: more points, a box, a stroke; its mask follows. */
export async function changePick(change) {
  const object = state.active;
  const old = pick(object);
  const asks = ["points", "not", "box"].some((key) => key in change);
  const chosen = { ...old, ...change, ...(asks && { found: null, upload: null, raw: null }) };
  await findMask(object, chosen);
}

/** A mask picture of the user's own. */
export async function takeMask(blob) {
  const object = state.active;
  try {
    const { id } = await api.addMask(blob, state.photo.id);
    errorAt("object-error", null);
    push(object, { ...nothing(), upload: id, mask: id });
    tell("Mask taken");
  } catch (error) {
    errorAt("object-error", error);
  }
}

async function findMask(object, chosen) {
  asked += 1;
  const number = asked;
  const { photo } = state;
  busy("finding the object");
  try {
    const base = await baseMask(chosen, photo);
    let mask = base;
    if (chosen.strokes.length) {
      const [width, height] = workSize(photo);
      const under = base && (await maskAt(api.url.mask(base)));
      const drawn = withStrokes(under, photo, chosen.strokes, width, height);
      mask = (await api.addMask(await asPng(drawn), photo.id)).id;
    }
    if (number !== asked || photo !== state.photo) return;
    if (mask === null) throw new api.ApiError(422, { what: "nothing was found there" });
    errorAt("object-error", null);
    push(object, { ...chosen, base, mask });
    tell(`${label(object)}: mask found`);
  } catch (error) {
    if (number === asked) errorAt("object-error", error);
    changed("pick");
  } finally {
    if (number === asked) busy(null);
  }
}

/** The mask under the strokes: found, uploaded, or by points and box. */
async function baseMask(chosen, photo) {
  if (chosen.found !== null) return state.found[chosen.found].mask;
  if (chosen.upload) return chosen.upload;
  if (chosen.raw) return (await api.segment({ photo: photo.id, ...chosen.raw })).mask;
  const select = prompt(chosen);
  if (!select.points && !select.box) return null;
  return (await api.segment({ photo: photo.id, select })).mask;
}

/** Find the masks of objects that came with a spec. */
export async function findAll() {
  for (const object of state.objects) {
    const chosen = pick(object);
    const asks = chosen.raw || chosen.points.length || chosen.box;
    if (isEmpty(object) && asks) {
      await findMask(object, chosen);
      object.picks = [pick(object)]; // what a spec says is where undo ends
      object.at = 0;
    }
  }
  changed("objects");
}

export function undo() {
  if (state.active.at > 0) state.active.at -= 1;
  changed("pick");
}

export function redo() {
  if (state.active.at < state.active.picks.length - 1) state.active.at += 1;
  changed("pick");
}

export function clearPick() {
  errorAt("object-error", null);
  if (!isEmpty(state.active)) push(state.active, nothing());
}

export function addObject() {
  const object = newObject();
  object.style = state.objects.at(-1)?.style ?? null;
  state.objects.push(object);
  state.active = object;
  changed("objects");
}

export function removeObject(object) {
  const at = state.objects.indexOf(object);
  state.objects.splice(at, 1);
  if (state.objects.length === 0) state.objects.push(newObject());
  if (state.active === object) state.active = state.objects[Math.min(at, state.objects.length - 1)];
  changed("objects");
}
