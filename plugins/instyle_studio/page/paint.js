// Painting: a preview at once and then the whole, what is going on, stopping and going on.

import * as api from "./api.js";
import { isDone, isOver, runOf, showLive } from "./compare.js";
import { curves } from "./curves.js";
import { $, duration, errorAt, h, show, tell } from "./dom.js";
import { baseOf, changed, isEmpty, on, state, toSpec } from "./state.js";
import { strengthName } from "./strength.js";

const STAGES = { read: "Reading", load: "Loading networks", segment: "Finding the object",
  rank: "Choosing a style", stylize: "Painting", merge: "Setting it back", write: "Writing" };

const live = new Map(); // of runs that are not over: {stage, step, history, notes}
const wholes = new Map(); // the whole run that follows a preview

export function startPaint() {
  $("paint").addEventListener("click", () => begin([true, false]));
  $("preview").addEventListener("click", () => begin([true]));
  $("stop").addEventListener("click", stop);
  $("go-on").addEventListener("click", goOn);
  $("preset").addEventListener("change", () => usePreset($("preset").value));
  $("strength").addEventListener("input", () => {
    state.strength = Number($("strength").value);
    changed("settings");
  });
  on("settings", reflect);
  on("runs result settings objects pick", buttons);
}

export async function usePreset(name) {
  try {
    const { spec } = await api.preset(name);
    state.base = baseOf(spec);
    state.preset = name;
    errorAt("paint-error", null);
    changed("settings");
  } catch (error) {
    errorAt("paint-error", error);
  }
}

function reflect() {
  const names = state.session.presets;
  $("preset").replaceChildren(...(state.preset ? [] : [h("option", { value: "" }, "of your own")]),
    ...names.map((name) => h("option", { value: name }, name)));
  $("preset").value = state.preset;
  $("strength").value = state.strength;
  $("strength-value").textContent = strengthName(state.strength);
  $("strength").setAttribute("aria-valuetext", strengthName(state.strength));
}

/** What is missing before a run can begin, as an error; null for nothing. */
function missing() {
  if (!state.photo) return { what: "open a photo first" };
  const objects = state.objects.filter((object) => !isEmpty(object));
  const unstyled = objects.length ? objects.filter((object) => !object.style)
    : [state.active].filter((object) => !object.style);
  return unstyled.length ? { what: "choose a style for the object", object: unstyled[0] } : null;
}

async function begin(previews) {
  const lack = missing();
  if (lack) {
    if (lack.object) state.active = lack.object;
    changed("objects");
    errorAt(state.photo ? "style-error" : "paint-error", lack);
    $("styles").querySelector("input, button")?.focus();
    return;
  }
  errorAt("paint-error", null);
  errorAt("style-error", null);
  const spec = toSpec();
  const ids = [];
  try {
    for (const preview of previews) ids.push((await api.paint(spec, preview)).id);
  } catch (error) {
    errorAt("paint-error", error);
  }
  if (ids.length === 0) return;
  if (ids.length === 2) wholes.set(ids[0], ids[1]);
  await follow(ids[0]);
}

/** Show a run, and follow what is painted. */
async function follow(shown) {
  state.runs = await api.runs();
  Object.assign(state, { result: shown, mode: "result" });
  watch();
  changed("runs", "result", "mode");
  tell("Painting");
}

/** Follow the events of the run that is painted, or that is next; only one connection is taken. */
export function watch() {
  for (const [gone, { end }] of live) {
    if (!runOf(gone)) {
      end();
      live.delete(gone);
    }
  }
  const id = current()?.id;
  if (!id || live.has(id)) return;
  const end = api.follow(id, (event) => {
    onEvent(id, event).catch((error) => errorAt("paint-error", error));
  });
  live.set(id, { stage: null, step: null, history: [], notes: [], end });
}

async function onEvent(id, event) {
  const now = live.get(id);
  if (!now) return;
  const run = runOf(id);
  if (run?.state === "queued") run.state = "running";
  if (event.type === "stage") {
    now.stage = event;
    if (event.stage === "stylize") now.history = [];
  } else if (event.type === "step") {
    now.step = event;
    now.history.push(event.losses);
  } else if (event.type === "download") now.download = event;
  else if (event.type === "note") now.notes.push(event.message);
  else if (event.type === "live") {
    await pass(id);
    await showLive(id, event.box);
  } else if (["finished", "failed"].includes(event.type)) await over(id, event);
  drawSoon();
}

/** From a finished preview to the whole, unless the user looks at something else. */
async function pass(id) {
  const preview = [...wholes].find(([, whole]) => whole === id)?.[0];
  if (preview && state.result === preview && isDone(runOf(preview))) {
    state.result = id;
    changed("result");
  }
}

async function over(id, event) {
  state.runs = await api.runs();
  const going = ["queued", "running"].includes(runOf(id)?.state);
  if (going || !live.has(id)) return; // it was gone on with since
  live.get(id).end();
  live.delete(id);
  watch();
  if (event.type === "failed") errorAt("paint-error", event.error);
  if (event.type === "finished") await pass(id);
  const run = runOf(id);
  if (run && !run.preview) tell(event.type === "failed" ? "The run failed" : `The picture is ${run.state}`);
  changed("runs");
  if (id === state.result) changed("result");
}

let waiting = false;

function drawSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    drawProgress();
  });
}

const current = () => state.runs.find((run) => run.state === "running")
  ?? state.runs.find((run) => run.state === "queued");

function drawProgress() {
  const run = current();
  show($("progress"), run);
  if (!run) return;
  const { stage, step, history, notes, download } = live.get(run.id) ?? { history: [], notes: [] };
  const item = stage?.item !== null && stage?.items > 1 ? ` object ${stage.item + 1} of ${stage.items}` : "";
  const name = STAGES[stage?.stage] ?? (run.state === "queued" ? "Waiting" : "Beginning");
  $("stage-name").textContent = `${run.preview ? "Preview: " : ""}${name}${item}`;
  const painting = step && stage?.stage === "stylize";
  const left = step?.seconds_left;
  $("time-left").textContent = painting
    ? `${step.step} of ${step.steps}${left === null ? "" : ` · ${duration(left)} left`}`
    : downloading(stage, download);
  const done = stage && ["merge", "write"].includes(stage.stage);
  if (painting) $("bar").value = step.step / step.steps;
  else if (done) $("bar").value = 1;
  else $("bar").removeAttribute("value");
  curves($("curves"), history);
  $("notes").replaceChildren(...notes.slice(-3).map((note) => h("li", {}, note)));
}

function downloading(stage, download) {
  if (!download || stage?.stage === "stylize") return "";
  const percent = download.total ? ` ${Math.round((100 * download.done) / download.total)} %` : "";
  return `${download.name}${percent}`;
}

/** A value with its keys in order, and with styles written out, so that equal ones look alike. */
function ordered(value, name = "") {
  if (Array.isArray(value)) return value.map((item) => ordered(item));
  if (name === "style" && typeof value === "string") return { images: [value] };
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, ordered(value[key], key)]));
}

export const sameSpec = (one, other) => JSON.stringify(ordered({ ...one, output: null, start: null }))
  === JSON.stringify(ordered({ ...other, output: null, start: null }));

/** Whether the settings are others than those that a run was made with. */
function differs(run) {
  return !missing() && !sameSpec(run.spec, toSpec());
}

function buttons() {
  const run = runOf(state.result);
  const working = current();
  show($("stop"), working);
  const next = working && state.photo && !missing() && !state.runs.some((one) =>
    ["queued", "running"].includes(one.state) && sameSpec(one.spec, toSpec()));
  show($("paint"), !working || next);
  $("paint").textContent = working ? "Paint this next" : "Paint";
  show($("paint-fields"), !working);
  show($("preview"), !working);
  const open = isOver(run) && !run.preview && run.spec.content === `photo:${state.photo?.id}`;
  const other = open && run.has_result && differs(run);
  show($("go-on"), !working && open && (run.resumable || other));
  $("go-on").querySelector("span").textContent = other ? "Go on with changes" : "Go on";
  drawProgress();
}

async function stop() {
  const open = state.runs.filter((run) => ["queued", "running"].includes(run.state));
  try {
    // Those that wait first, so that none begins in between.
    for (const run of open.reverse()) await api.stop(run.id);
    tell("Stopping");
  } catch (error) {
    errorAt("paint-error", error);
  }
  state.runs = await api.runs();
  watch();
  changed("runs");
}

async function goOn() {
  const run = runOf(state.result);
  errorAt("paint-error", null);
  try {
    const { id } = await api.goOn(run.id, run.has_result && differs(run) ? toSpec() : null);
    await follow(id);
  } catch (error) {
    errorAt("paint-error", error);
  }
}
