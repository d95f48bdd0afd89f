// All settings: forms for everything that a spec has, of whatever plugins are installed, and the
// spec itself as text.

import * as api from "./api.js";
import { $, h, sentence, show, tell, toast } from "./dom.js";
import { field } from "./form.js";
import { useSpec } from "./history.js";
import { changed, state, toSpec } from "./state.js";
import { strengthened } from "./strength.js";

/** What the page itself edits, or the server puts in. */
const NOT_HERE = ["version", "content", "objects", "style", "color", "output"];

/** How long nothing is typed before the spec is checked, in milliseconds. */
const CALM = 400;

let timer = 0;

export function startSettings() {
  $("all-settings").addEventListener("click", open);
  $("close-settings").addEventListener("click", () => $("settings").close());
  $("as-form").addEventListener("click", () => turn(false));
  $("as-text").addEventListener("click", () => turn(true));
  $("apply-text").addEventListener("click", applyText);
  $("open-spec").addEventListener("click", () => $("spec-file").click());
  $("spec-file").addEventListener("change", async () => {
    const [file] = $("spec-file").files;
    $("spec-file").value = "";
    if (file) await openSpec(await file.text());
  });
}

async function open() {
  try {
    state.schema ??= await api.schema();
    // The forms show plain weights, so strength becomes a part of them.
    state.base.losses = strengthened(state.base.losses, state.strength);
    state.strength = 0;
    changed("settings");
    turn(false);
    $("settings").showModal();
  } catch (error) {
    toast(error);
  }
}

async function turn(asText) {
  $("as-form").setAttribute("aria-pressed", String(!asText));
  $("as-text").setAttribute("aria-pressed", String(asText));
  $("yaml").value = "";
  show($("settings-form"), !asText);
  show($("settings-text"), asText);
  errors([]);
  if (!asText) drawForm();
  else if (state.photo) await drawText();
  else $("yaml").value = "# Open a photo first.";
}

function drawForm() {
  const { properties } = state.schema;
  const keys = Object.keys(properties).filter((key) => !NOT_HERE.includes(key));
  const first = ["losses", "optimizer", "merger"];
  const order = [...first, ...keys.filter((key) => !first.includes(key))];
  $("settings-form").replaceChildren(...order.map((key) =>
    field(key, properties[key], state.base[key], state.schema, (value) => {
      if (value === undefined) delete state.base[key];
      else state.base[key] = value;
      state.preset = "";
      changed("settings");
      checkSoon();
    })));
}

function checkSoon() {
  clearTimeout(timer);
  if (!state.photo) return;
  timer = setTimeout(async () => {
    try {
      errors((await api.checkSpec(toSpec())).errors);
    } catch (error) {
      errors([error]);
    }
  }, CALM);
}

function errors(all) {
  show($("settings-errors"), all.length);
  $("settings-errors").replaceChildren(...all.map((error) => h("p", {}, sentence(error))));
  for (const setting of $("settings-form").querySelectorAll(".setting")) {
    const wrong = all.some(({ where }) => where?.split(".").at(-1) === setting.dataset.key);
    setting.classList.toggle("wrong", wrong);
  }
}

async function drawText() {
  try {
    const { yaml, errors: wrong } = await api.checkSpec(toSpec());
    $("yaml").value = yaml;
    errors(wrong);
  } catch (error) {
    errors([error]);
  }
}

async function applyText() {
  try {
    const { spec, errors: wrong } = await api.readSpec($("yaml").value);
    errors(wrong);
    if (wrong.length) return;
    await useSpec(known(spec));
    $("settings").close();
    tell("Spec applied");
  } catch (error) {
    errors([error]);
  }
}

/** Open a spec in the page: its settings, and its pictures where they are known here. */
async function openSpec(text) {
  try {
    const { spec, errors: wrong } = await api.readSpec(text);
    if (!spec) throw wrong[0];
    await useSpec(known(spec));
    if (wrong.length) toast(wrong[0]);
  } catch (error) {
    toast(error);
  }
}

/** The same spec with pictures of this session in place of files of the same names. */
function known(spec) {
  const { photos, styles } = state.session;
  const file = (path) => String(path).split(/[\\/]/).at(-1);
  const find = (kind, all) => (path) => {
    const one = all.find(({ name }) => name === file(path));
    return one ? `${kind}:${one.id}` : path;
  };
  const style = (value) => {
    if (typeof value === "string") return find("style", styles)(value);
    return value?.images ? { ...value, images: value.images.map(find("style", styles)) } : value;
  };
  return { ...spec, content: find("photo", photos)(spec.content),
    ...(spec.style && { style: style(spec.style) }),
    ...(spec.objects && { objects: spec.objects.map((object) =>
      (object.style ? { ...object, style: style(object.style) } : object)) }) };
}
