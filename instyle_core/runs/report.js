"use strict";
// Before and after under a slider, and zoom to pixels. Without this script, both are shown whole.
for (const figure of document.querySelectorAll(".compare")) {
  const [view, both] = [figure.querySelector(".view"), figure.querySelector(".both")];
  const [after, before] = [figure.querySelector(".after"), figure.querySelector(".before")];
  const [slider, zoom] = [figure.querySelector("input"), figure.querySelector("select")];

  const cut = () => {
    before.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`;
  };
  const scale = () => {
    const factor = Number(zoom.value);
    const { scrollLeft, scrollTop, scrollWidth, scrollHeight, clientWidth, clientHeight } = view;
    const middle = [(scrollLeft + clientWidth / 2) / scrollWidth, (scrollTop + clientHeight / 2) / scrollHeight];
    figure.classList.toggle("zoomed", factor > 0);
    after.style.width = factor > 0 ? `${(after.naturalWidth * factor) / devicePixelRatio}px` : "";
    view.scrollLeft = middle[0] * view.scrollWidth - view.clientWidth / 2;
    view.scrollTop = middle[1] * view.scrollHeight - view.clientHeight / 2;
  };
  const drag = (event) => {
    if (event.buttons !== 1) return;
    const box = both.getBoundingClientRect();
    slider.value = (100 * (event.clientX - box.left)) / box.width;
    cut();
  };
  const giveUp = () => {
    before.remove();
    slider.parentElement.textContent = "The photo is not where it was, or no picture that a browser shows.";
  };

  figure.classList.add("js");
  slider.addEventListener("input", cut);
  zoom.addEventListener("change", scale);
  both.addEventListener("pointerdown", drag);
  both.addEventListener("pointermove", drag);
  both.addEventListener("dragstart", (event) => event.preventDefault());
  before.addEventListener("error", giveUp);
  if (before.complete && before.naturalWidth === 0) giveUp();
  figure.querySelector(".controls").hidden = false;
  cut();
}
