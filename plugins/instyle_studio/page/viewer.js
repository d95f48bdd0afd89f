// The picture on a canvas: where it lies, zooming, panning and pinching. What is drawn, and what a
// click does, is up to a mode: {draw(context, viewer), down, move, up, hover, leave, key}.

/** The closest zoom: screen pixels for each pixel of the photo. */
const CLOSEST = 32;

export class Viewer {
  constructor(canvas) {
    this.canvas = canvas;
    this.mode = null;
    this.width = 1; // of the photo, in its pixels
    this.height = 1;
    this.scale = 1; // CSS pixels for each pixel of the photo
    this.left = 0; // where the photo's top left is, in CSS pixels of a pane
    this.top = 0;
    this.panes = 1;
    this.fitted = true;
    this.onchange = () => {};
    this.pointers = new Map();
    this.space = false;
    new ResizeObserver(() => this.resized()).observe(canvas.parentElement);
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => this[name](event));
    }
    canvas.addEventListener("pointerleave", () => this.mode?.leave?.());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("keyup", (event) => {
      if (event.key === " ") this.space = false;
    });
    canvas.addEventListener("blur", () => this.redraw());
    canvas.addEventListener("focus", () => this.redraw());
  }

  get paneWidth() {
    return this.canvas.clientWidth / this.panes;
  }

  get ratio() {
    return window.devicePixelRatio || 1;
  }

  open(width, height) {
    Object.assign(this, { width, height });
    this.fit();
  }

  setPanes(panes) {
    if (panes === this.panes) return;
    this.panes = panes;
    this.fit();
  }

  resized() {
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.round(clientWidth * this.ratio);
    this.canvas.height = Math.round(clientHeight * this.ratio);
    if (this.fitted) this.fit();
    else this.redraw();
  }

  fit() {
    const margin = Math.min(24, this.paneWidth * 0.03);
    const width = this.paneWidth - 2 * margin;
    const height = this.canvas.clientHeight - 2 * margin;
    if (width <= 0 || height <= 0) return;
    this.scale = Math.min(width / this.width, height / this.height, 4);
    this.left = (this.paneWidth - this.width * this.scale) / 2;
    this.top = (this.canvas.clientHeight - this.height * this.scale) / 2;
    this.fitted = true;
    this.redraw();
  }

  /** Zoom by a factor, about a point of a pane; its middle when left out. */
  zoom(factor, x = this.paneWidth / 2, y = this.canvas.clientHeight / 2) {
    const least = Math.min(0.05, 32 / Math.max(this.width, this.height));
    const scale = Math.min(CLOSEST, Math.max(least, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.keepInSight();
    this.redraw();
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.fitted = false;
    this.keepInSight();
    this.redraw();
  }

  keepInSight() {
    const bound = (at, length, room) =>
      Math.min(room - 48, Math.max(48 - length, at));
    this.left = bound(this.left, this.width * this.scale, this.paneWidth);
    this.top = bound(this.top, this.height * this.scale, this.canvas.clientHeight);
  }

  /** Where a pointer is: in the pane, and in pixels of the photo. */
  place(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const x = (event.clientX - bounds.left) % this.paneWidth;
    const y = event.clientY - bounds.top;
    return { x, y, across: event.clientX - bounds.left, ...this.toPhoto(x, y) };
  }

  toPhoto(x, y) {
    return { px: (x - this.left) / this.scale, py: (y - this.top) / this.scale };
  }

  inside({ px, py }) {
    return px >= 0 && py >= 0 && px < this.width && py < this.height;
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      const context = this.canvas.getContext("2d");
      context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      context.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
      this.mode?.draw?.(context, this);
      this.onchange(this);
    });
  }

  /** Draw a picture of the photo's proportions where the photo lies. */
  drawPicture(context, image) {
    context.imageSmoothingEnabled = this.scale * this.width < 3 * image.width;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, this.left, this.top, this.width * this.scale,
      this.height * this.scale);
  }

  pointerdown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 2) {
      this.mode?.cancel?.();
      this.panning = true;
    } else if (event.button === 1 || this.space) {
      event.preventDefault();
      this.panning = true;
    } else if (event.button === 0 && !this.panning) {
      this.mode?.down?.(this.place(event), event);
    }
  }

  pointermove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.mode?.hover?.(this.place(event), event);
      return;
    }
    const others = [...this.pointers.values()].filter((one) => one !== before);
    this.pointers.set(event.pointerId, event);
    if (this.panning && others.length === 1) this.pinch(before, event, others[0]);
    else if (this.panning) this.pan(event.clientX - before.clientX, event.clientY - before.clientY);
    else this.mode?.move?.(this.place(event), event);
  }

  pinch(before, after, other) {
    const distance = (event) => Math.hypot(event.clientX - other.clientX, event.clientY - other.clientY);
    const { x, y } = this.place({ clientX: (after.clientX + other.clientX) / 2,
      clientY: (after.clientY + other.clientY) / 2 });
    this.pan((after.clientX - before.clientX) / 2, (after.clientY - before.clientY) / 2);
    this.zoom(Math.max(distance(after), 1) / Math.max(distance(before), 1), x, y);
  }

  pointerup(event) {
    this.pointers.delete(event.pointerId);
    if (!this.panning) this.mode?.up?.(this.place(event), event);
    else if (this.pointers.size === 0) this.panning = false;
  }

  pointercancel(event) {
    this.pointers.delete(event.pointerId);
    this.mode?.cancel?.();
    if (this.pointers.size === 0) this.panning = false;
  }

  wheel(event) {
    event.preventDefault();
    const { x, y } = this.place(event);
    this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), x, y);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey) return;
    const keys = { "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8),
      0: () => this.fit(), 1: () => this.zoom(1 / (this.scale * this.ratio)),
      " ": () => { this.space = true; } };
    if (keys[event.key]) keys[event.key]();
    else if (!this.mode?.key?.(event)) return;
    event.preventDefault();
  }
}
