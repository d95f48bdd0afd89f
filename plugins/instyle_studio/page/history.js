// The runs of this session as a strip, what each was made with, and what is kept of it.

import * as api from "./api.js";
import { isDone, nameOfRun, runOf } from "./compare.js";
import { cutOut, maskOfRun } from "./masks.js";
import { $, duration, h, show, toast } from "./dom.js";
import { sameSpec } from "./paint.js";
import { usePhoto } from "./photo.js";
import { findAll } from "./selection.js";
import { changed, fromSpec, on, state } from "./state.js";
import { nameOf } from "./style.js";

const STATES = { queued: "waiting", running: "painting", interrupted: "stopped", failed: "failed" };

export function startHistory() {
  $("use-settings").addEventListener("click", () => useSpec(runOf(state.result).spec));
  $("remove-run").addEventListener("click", removeRun);
  $("keep-cutout").addEventListener("click", saveCutout);
  on("runs result mode", strip);
  on("runs result mode", keep);
}

/** Previews whose whole picture is there need no place in the strip. */
function worthShowing(run, index) {
  return !run.preview || run.id === state.result
    || !state.runs.slice(index + 1).some((later) => !later.preview && later.state !== "failed"
      && sameSpec(later.spec, run.spec));
}

function strip() {
  const runs = state.runs.filter(worthShowing);
  show($("history"), runs.length > 0);
  $("runs").replaceChildren(...runs.map((run) => {
    const going = STATES[run.state];
    const words = [going, run.preview ? "preview" : null].filter(Boolean).join(", ");
    return h("li", {}, h("button", { class: "run", title: summary(run),
      "aria-pressed": String(state.mode === "result" && run.id === state.result),
      "aria-label": `${nameOfRun(run)}${going ? `, ${going}` : ""}: ${summary(run)}`,
      onclick: () => showRun(run) },
    isDone(run) ? h("img", { src: api.url.run(run.id, "result?shown=1"), alt: "", loading: "lazy" })
      : h("span", { class: "blank" }, words),
    isDone(run) && words ? h("span", { class: "state" }, words) : null));
  }));
}

async function showRun(run) {
  try {
    const photo = photoOf(run.spec);
    if (photo && photo.id !== state.photo?.id) await usePhoto(photo);
    Object.assign(state, { result: run.id, mode: "result" });
    changed("result", "mode");
  } catch (error) {
    toast(error);
  }
}

export function photoOf(spec) {
  return state.session.photos.find((photo) => `photo:${photo.id}` === spec.content);
}

const stylesOf = (spec) => [spec, ...(spec.objects ?? [])].flatMap(({ style }) =>
  (typeof style === "string" ? [style] : style?.images ?? []))
  .map((image) => nameOf(image.replace("style:", "")));

const summary = (run) => [...new Set(stylesOf(run.spec)), `${run.spec.size ?? 512} pixels`,
  `${run.spec.optimizer?.steps ?? 200} steps`].join(", ");

function settingsOf(run) {
  const { spec } = run;
  const losses = (spec.losses ?? []).map((loss) =>
    (typeof loss === "string" ? loss : `${loss.use} ${loss.weight ?? 1}`));
  return [["Style", [...new Set(stylesOf(spec))].join(", ")],
    ["Size", `${spec.size ?? 512} pixels`],
    ["Optimizer", `${spec.optimizer?.use ?? "adam"}, ${spec.optimizer?.steps ?? 200} steps`],
    ["Losses", losses.join(", ")],
    ["Merger", spec.merger?.use ?? spec.merger],
    ["Seed", String(spec.seed ?? 0)],
    ["Took", run.seconds ? duration(run.seconds) : null]].filter(([, value]) => value);
}

function keep() {
  const run = runOf(state.result);
  const shown = isDone(run) && state.mode === "result";
  show($("step-keep"), shown);
  if (!shown) return;
  const stem = (photoOf(run.spec)?.name ?? "photo").replace(/\.\w+$/, "");
  for (const [id, part, name] of [["keep-picture", "result", `${stem}-painted.png`],
    ["keep-spec", "spec", `${stem}.yaml`],
    ["keep-bundle", "bundle", `${stem}.zip`]]) {
    $(id).href = api.url.run(run.id, part);
    $(id).download = name;
  }
  $("keep-report").href = api.url.report(run.id);
  show($("keep-cutout"), run.spec.objects);
  $("run-settings").replaceChildren(...settingsOf(run).flatMap(([name, value]) =>
    [h("dt", {}, name), h("dd", {}, value)]));
}

/** Save the repainted objects alone, transparent around them. */
async function saveCutout() {
  const run = runOf(state.result);
  try {
    const [image, mask] = await Promise.all([api.picture(api.url.run(run.id, "result")),
      maskOfRun(run)]);
    const blob = await cutOut(image, mask);
    const link = h("a", { href: URL.createObjectURL(blob),
      download: `${(photoOf(run.spec)?.name ?? "photo").replace(/\.\w+$/, "")}-cut-out.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  } catch (error) {
    toast(error);
  }
}

/** Take over the settings, objects and styles of a spec. */
export async function useSpec(spec) {
  const photo = photoOf(spec);
  if (photo && photo.id !== state.photo?.id) await usePhoto(photo);
  fromSpec(spec);
  state.mode = "object";
  changed("mode");
  await findAll();
}

async function removeRun() {
  const index = state.runs.findIndex((run) => run.id === state.result);
  try {
    await api.remove(state.result);
    state.runs = await api.runs();
    const next = state.runs.slice(0, index).findLast(isDone) ?? state.runs.findLast(isDone);
    Object.assign(state, { result: next?.id ?? null, mode: next ? "result" : "object" });
    changed("runs", "result", "mode");
  } catch (error) {
    toast(error);
  }
}
