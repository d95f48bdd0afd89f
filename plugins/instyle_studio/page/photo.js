// Bringing a photo in: dropped, pasted, chosen, or one that the server has already.

import * as api from "./api.js";
import { $, show, tell, toast } from "./dom.js";
import { showPhoto } from "./object.js";
import { changed, newObject, state } from "./state.js";

let viewer;
let busy;

export function startPhoto(theViewer, whileBusy) {
  viewer = theViewer;
  busy = whileBusy;
  const choose = () => $("photo-file").click();
  $("open-photo").addEventListener("click", choose);
  $("choose-photo").addEventListener("click", choose);
  $("use-demo").addEventListener("click", () => useDemo().catch(toast));
  $("photo-file").addEventListener("change", () => {
    const [file] = $("photo-file").files;
    $("photo-file").value = "";
    if (file) openPhoto(file);
  });
}

/** The cat that ships with instyle, and a painting. */
async function useDemo() {
  const { photo, style } = await api.demo();
  state.session.photos.push(photo);
  if (!state.order.includes(style.id)) {
    state.session.styles.push(style);
    state.order.push(style.id);
    changed("styles");
  }
  await usePhoto(photo);
}

/** Send a file to the server and work on it. */
export async function openPhoto(file) {
  const { limits } = state.session;
  busy(`reading ${file.name}`);
  try {
    if (file.size > limits.upload_bytes) {
      throw new api.ApiError(413, { where: file.name,
        what: `the file has ${Math.ceil(file.size / 1e6)} MB, more than ${Math.floor(limits.upload_bytes / 1e6)}` });
    }
    const photo = await api.addPhoto(file);
    state.session.photos.push(photo);
    await usePhoto(photo);
  } catch (error) {
    toast(error);
  } finally {
    busy(null);
  }
}

/** Work on a photo that the server has: {id, name, width, height}; and show a run's result. */
export async function usePhoto(photo, result = null) {
  const image = await api.picture(api.url.photo(photo.id));
  if (photo.id !== state.photo?.id) {
    state.objects = [newObject()];
    [state.active] = state.objects;
  }
  Object.assign(state, { photo, found: [], result, mode: result ? "result" : "object" });
  $("photo-name").textContent = photo.name;
  document.title = `${photo.name} – instyle studio`;
  show($("welcome"), false);
  viewer.open(photo.width, photo.height);
  showPhoto(image);
  changed("photo", "objects", "found", "mode", "result");
  tell(`${photo.name} is open`);
  await findObjects(photo);
}

/** Ask what the default segmenter finds. */
async function findObjects(photo) {
  busy(state.session.ready ? "looking for objects" : "getting ready");
  try {
    const { objects } = await api.segment({ photo: photo.id, select: {}, all: true });
    if (photo !== state.photo) return;
    state.found = objects;
    tell(objects.length ? `Found: ${objects.map((one) => one.class).join(", ")}` : "Nothing found by itself");
  } catch (error) {
    if (photo === state.photo) toast(error);
  } finally {
    busy(null);
    changed("found");
  }
}
