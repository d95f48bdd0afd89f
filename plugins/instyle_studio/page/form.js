// A form from a JSON Schema: for whatever parameters a plugin has. `form` edits a value and tells
// each change; a key that is left empty is left out, so that its default holds.

import { h, icon } from "./dom.js";

let names = 0;

/** The schema that a reference stands for. */
export function resolved(schema, root) {
  if (!schema.$ref) return schema;
  const { $ref, ...others } = schema;
  const target = $ref.slice(2).split("/").reduce((node, key) => node[key], root);
  return { ...resolved(target, root), ...others };
}

/** The ways that a value may have, without null. */
function choices(schema, root) {
  const options = schema.anyOf ?? schema.oneOf;
  if (!options || schema.properties) return [schema];
  return options.flatMap((option) => choices(resolved(option, root), root))
    .filter((option) => option.type !== "null");
}

/** A choice of plugins, or of models that are told apart by `use`. */
const isUse = (options) => options.length > 0 && options.some((option) => option.properties?.use);

const useName = (option) => option.properties.use.const ?? option.properties.use.enum[0];

/** One field with its label and what it means; answers an element. */
export function field(name, schema, value, root, onchange) {
  const full = resolved(schema, root);
  const options = choices(full, root);
  if (isUse(options)) return useField(name, full, options, value, root, onchange);
  const [only] = options;
  if (options.length === 1 && only.type === "array" && isUse(choices(resolved(only.items ?? {}, root), root))) {
    return listField(name, only, value ?? [], root, onchange);
  }
  if (options.length === 1 && only.properties) {
    return group(name, full.description, properties(only, value ?? {}, root, onchange));
  }
  return plainField(name, full, options, value, onchange);
}

/** The fields of an object's properties; `left` names those that are not shown. */
export function properties(schema, value, root, onchange, left = []) {
  let now = value;
  return Object.entries(schema.properties ?? {}).filter(([key]) => !left.includes(key))
    .map(([key, one]) => field(key, one, now[key], root, (changedTo) => {
      now = { ...now };
      if (changedTo === undefined) delete now[key];
      else now[key] = changedTo;
      onchange(now);
    }));
}

const title = (name) => name.replaceAll("_", " ").replaceAll("-", " ");

function group(name, description, fields) {
  return h("fieldset", {}, h("legend", {}, title(name)),
    description ? h("p", { class: "soft" }, description) : null, fields);
}

function useField(name, schema, options, value, root, onchange) {
  const optional = value === undefined || value === null || "default" in schema;
  const box = group(name, schema.description, []);
  const inner = h("div", { class: "inner" });
  const named = typeof value === "string" ? { use: value } : value ?? {};
  const fill = (use, now) => {
    const option = options.find((one) => one.properties && useNames(one).includes(use));
    inner.replaceChildren(...(option ? [
      h("p", { class: "soft" }, option.properties.use.description ?? option.description ?? ""),
      ...properties(option, now, root, onchange, ["use"])] : []));
  };
  const plain = options.flatMap((option) => (option.properties ? [] : [option.const]))
    .filter((word) => word !== undefined);
  const select = h("select", { "aria-label": `${title(name)}: plugin`, onchange: () => {
    const use = select.value;
    if (use === "" || plain.includes(use)) {
      onchange(use || undefined);
      inner.replaceChildren();
    } else {
      onchange({ use });
      fill(use, { use });
    }
  } },
  optional ? h("option", { value: "" }, "as by default") : null,
  [...plain, ...options.filter((option) => option.properties).map(useName)]
    .map((word) => h("option", { value: word }, word)));
  select.value = named.use ?? (plain.includes(value) ? value : "");
  fill(named.use, named);
  box.append(select, inner);
  return box;
}

const useNames = ({ properties: { use } }) => use.enum ?? [use.const];

function listField(name, schema, value, root, onchange) {
  const box = group(name, schema.description, []);
  const list = h("div", { class: "list" });
  const options = choices(resolved(schema.items, root), root).filter((option) => option.properties);
  let now = [...value];
  const draw = () => list.replaceChildren(...now.map((item, index) => {
    const named = typeof item === "string" ? { use: item } : item;
    const option = options.find((one) => useNames(one).includes(named.use));
    const { weight = {}, use } = option?.properties ?? {};
    const put = (changedTo) => {
      now = now.with(index, changedTo);
      onchange(now);
    };
    return h("details", {}, h("summary", {}, h("strong", {}, named.use),
      " ", h("span", { class: "soft" }, `${named.weight ?? weight.default ?? ""}`)),
    h("div", { class: "inner" }, h("p", { class: "soft" }, use?.description ?? ""),
      option ? properties(option, named, root, put, ["use"]) : null,
      h("button", { type: "button", class: "small", onclick: () => {
        now = now.toSpliced(index, 1);
        onchange(now);
        draw();
      } }, `Remove ${named.use}`)));
  }));
  const select = h("select", { "aria-label": `Another one of ${title(name)}` },
    options.map((option) => h("option", { value: useName(option) }, useName(option))));
  const add = h("button", { type: "button", class: "small", onclick: () => {
    now = [...now, { use: select.value }];
    onchange(now);
    draw();
  } }, icon("plus"), "Add");
  draw();
  box.append(list, h("div", { class: "row" }, select, add));
  return box;
}

function plainField(name, schema, options, value, onchange) {
  names += 1;
  const id = `field-${names}`;
  const words = options.flatMap((option) => option.enum ?? (option.const === undefined ? [] : [option.const]));
  const others = options.filter((option) => !option.enum && option.const === undefined);
  const attributes = { id, name, "aria-describedby": schema.description ? `${id}-about` : null };
  let input;
  if (others.length === 0) input = selectOf(words, schema, value, attributes, onchange);
  else if (others.length === 1 && words.length === 0 && others[0].type === "boolean") {
    input = h("input", { ...attributes, type: "checkbox", checked: value ?? schema.default ?? false,
      onchange: () => onchange(input.checked) });
  } else if (others.length === 1 && words.length === 0 && ["number", "integer"].includes(others[0].type)) {
    input = numberOf({ ...schema, ...others[0] }, value, attributes, onchange);
  } else input = textOf(schema, others, value, attributes, onchange);
  const check = input.type === "checkbox";
  return h("div", { class: check ? "setting check" : "setting", "data-key": name },
    h("label", { for: id }, title(name)), input,
    schema.description ? h("p", { class: "soft", id: `${id}-about` }, schema.description) : null);
}

function selectOf(words, schema, value, attributes, onchange) {
  const shown = schema.default === undefined || schema.default === null ? "as by default"
    : `${schema.default} (default)`;
  const input = h("select", { ...attributes, onchange: () => {
    onchange(input.value === "" ? undefined : words[input.selectedIndex - 1]);
  } }, h("option", { value: "" }, shown), words.map((word) => h("option", { value: word }, String(word))));
  input.value = value ?? "";
  return input;
}

function numberOf(schema, value, attributes, onchange) {
  const input = h("input", { ...attributes, type: "number", inputmode: "decimal",
    min: schema.minimum ?? schema.exclusiveMinimum, max: schema.maximum ?? schema.exclusiveMaximum,
    step: schema.type === "integer" ? 1 : "any", placeholder: schema.default, value: value ?? "",
    oninput: () => {
      input.setAttribute("aria-invalid", String(!input.checkValidity()));
      if (input.checkValidity()) onchange(input.value === "" ? undefined : Number(input.value));
    } });
  return input;
}

/** Text, and what has no field of its own kind: lists and mappings, written as JSON. */
function textOf(schema, others, value, attributes, onchange) {
  const texts = others.every((option) => option.type === "string");
  const written = (one) => (one === undefined || one === null ? ""
    : typeof one === "string" ? one : JSON.stringify(one));
  const input = h("input", { ...attributes, type: "text", placeholder: written(schema.default),
    autocomplete: "off", spellcheck: "false", value: written(value), oninput: () => {
      let read = input.value.trim();
      if (read !== "" && !texts) {
        try {
          read = JSON.parse(read);
        } catch {
          // A word, such as `auto`; the server tells what is wrong with it.
        }
      }
      onchange(read === "" ? undefined : read);
    } });
  return input;
}
