// Shows the decoded image at the pointer over a chart whose axes are latent coordinates.
//
// A finger shows it too, while it touches the chart.

const SIDE = 7; // rem, of the picture
const AWAY = 18; // pixels between the pointer and the picture
const INSTANCES = new WeakMap();

export default function ({ data, parentElement }) {
  if (!INSTANCES.has(parentElement)) INSTANCES.set(parentElement, new Pointer());
  const pointer = INSTANCES.get(parentElement);
  pointer.receive(data);
  return () => {
    pointer.leave();
    INSTANCES.delete(parentElement);
  };
}

class Pointer {
  constructor() {
    this.box = document.createElement("figure");
    this.box.className = "decoded-at-pointer";
    this.box.setAttribute("aria-hidden", "true");
    this.canvas = document.createElement("canvas");
    this.caption = document.createElement("figcaption");
    this.box.append(this.canvas, this.caption);
    this.move = (event) => this.follow(event);
    for (const kind of ["pointermove", "pointerdown"]) document.addEventListener(kind, this.move);
  }

  receive(data) {
    if (data.version < this.data?.version) return; // it was overtaken by newer data
    if (this.data?.sheet !== data.sheet) {
      this.image = new Image();
      this.image.src = data.sheet;
    }
    this.data = data;
    [this.canvas.width, this.canvas.height] = [data.width, data.height];
    const scale = SIDE / Math.max(data.width, data.height);
    this.canvas.style.width = `${data.width * scale}rem`;
    this.canvas.style.height = `${data.height * scale}rem`;
  }

  leave() {
    for (const kind of ["pointermove", "pointerdown"]) document.removeEventListener(kind, this.move);
    this.box.remove();
  }

  follow(event) {
    const place = this.placeOf(event);
    if (!place || !this.image.complete) return this.box.remove();
    const { columns, rows, width, height } = this.data;
    const column = Math.round(place.across * (columns - 1));
    const row = Math.round(place.up * (rows - 1));
    const pen = this.canvas.getContext("2d");
    pen.drawImage(this.image, column * width, row * height, width, height, 0, 0, width, height);
    this.caption.textContent = place.text;
    const app = document.querySelector('[data-testid="stApp"]');
    if (!this.box.isConnected) app.append(this.box);
    const left = event.clientX + AWAY + this.box.offsetWidth > innerWidth;
    const above = event.clientY + AWAY + this.box.offsetHeight > innerHeight;
    this.box.style.left = `${event.clientX + (left ? -AWAY - this.box.offsetWidth : AWAY)}px`;
    this.box.style.top = `${event.clientY + (above ? -AWAY - this.box.offsetHeight : AWAY)}px`;
  }

  // Where the pointer is in the chart, as shares of the grid; nothing outside of either.
  placeOf(event) {
    const chart = event.target.closest?.(`.st-key-chart-${this.data.chart} .js-plotly-plot`);
    const area = chart?.querySelector(".nsewdrag")?.getBoundingClientRect();
    if (!area?.width) return null;
    const { xaxis, yaxis } = chart._fullLayout;
    const across = (event.clientX - area.left) / area.width;
    const up = (area.bottom - event.clientY) / area.height;
    if (Math.min(across, up) < 0 || Math.max(across, up) > 1) return null;
    const { low, high, rows } = this.data;
    const x = between(xaxis.range, across);
    const y = between(yaxis.range, up);
    const found = { across: (x - low[0]) / (high[0] - low[0]), up: rows > 1 ? (y - low[1]) / (high[1] - low[1]) : 0 };
    if (Math.min(found.across, found.up) < 0 || Math.max(found.across, found.up) > 1) return null;
    const titles = rows > 1 ? [x, y] : [x];
    found.text = `(${titles.map((value) => value.toFixed(2).replace("-", "−")).join(", ")})`;
    return found;
  }
}

const between = ([low, high], share) => low + share * (high - low);
