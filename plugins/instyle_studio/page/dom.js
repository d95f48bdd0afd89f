// The few helpers for elements that every module uses. Text always goes in as text, never as HTML.

export const $ = (id) => document.getElementById(id);

/** An element: h("button", {class: "icon", onclick: f}, "text", child). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `icons.svg#${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Give every element with `data-icon` its icon. */
export function fillIcons(root = document) {
  for (const element of root.querySelectorAll("[data-icon]")) {
    element.prepend(icon(element.dataset.icon));
    element.removeAttribute("data-icon");
  }
}

export function show(element, yes) {
  element.hidden = !yes;
}

/**
 * A group of choices of which one is taken: real radio buttons, so that keys work as everywhere.
 * `choices` are [value, label, icon or null, title]; answers a function that sets the value.
 */
export function radios(container, name, choices, chosen, onchange) {
  container.replaceChildren(...choices.map(([value, label, picture, title]) => {
    const input = h("input", { type: "radio", name, value, checked: value === chosen,
      "aria-label": picture ? label : null, onchange: () => onchange(value) });
    return h("label", { title: title ?? label, class: picture ? "icon" : null },
      input, picture ? icon(picture) : h("span", {}, label));
  }));
  return (value) => {
    for (const input of container.querySelectorAll("input")) input.checked = input.value === value;
  };
}

/** Tell a screen reader what happened. */
export function tell(text) {
  $("status").textContent = text;
}

let hideToast = 0;

/** Show an error that belongs to no part of the page. */
export function toast(error) {
  $("toast").textContent = sentence(error);
  show($("toast"), true);
  clearTimeout(hideToast);
  hideToast = setTimeout(() => show($("toast"), false), 9000);
}

/** Show an error where it belongs, or take it away (error = null). */
export function errorAt(id, error) {
  const place = $(id);
  place.textContent = error ? sentence(error) : "";
  show(place, Boolean(error));
}

/** An error in the words of the command line: where, what, and what to do next. */
export function sentence(error) {
  const { where, what, hint } = error;
  return `${where ? `${where}: ` : ""}${what ?? error.message ?? error}${hint ? `; ${hint}` : ""}`;
}

/** Seconds for people: 48 s, 2:05. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
