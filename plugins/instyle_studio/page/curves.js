// The losses of a run as small curves, one for each, on a scale of its own.

import { h } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 26;

/** Most points of a curve: more steps are drawn by every so many. */
const POINTS = 120;

/** Draw the curves into a container; `history` has the losses of each step, by name. */
export function curves(container, history) {
  const names = Object.keys(history.at(-1) ?? {});
  while (container.children.length > names.length) container.lastChild.remove();
  while (container.children.length < names.length) container.append(blank());
  const every = Math.max(1, Math.ceil(history.length / POINTS));
  names.forEach((name, index) => {
    const figure = container.children[index];
    const values = history.filter((_, step) => step % every === 0).map((losses) => losses[name] ?? 0);
    const last = history.at(-1)[name];
    figure.querySelector("figcaption").textContent = name;
    figure.querySelector("output").textContent = Number(last.toPrecision(2)).toString();
    figure.querySelector("polyline").setAttribute("points", points(values));
    figure.querySelector("svg").setAttribute("aria-label", `${name}: from ${Number(values[0].toPrecision(2))} to ${Number(last.toPrecision(2))}`);
  });
}

function blank() {
  const figure = h("figure", {}, h("figcaption"));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.append(line);
  figure.append(svg, h("output"));
  return figure;
}

function points(values) {
  const high = Math.max(...values);
  const low = Math.min(...values, 0);
  const x = (index) => (values.length < 2 ? 0 : (index / (values.length - 1)) * WIDTH);
  const y = (value) => HEIGHT - 2 - ((value - low) / (high - low || 1)) * (HEIGHT - 4);
  return values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
}
