// Shows the image of the point under the pointer of a chart. The server sends all images as one
// picture, when the pointer is on the chart for the first time.

const INSTANCES = new WeakMap();
const GAP = 14; // pixels between the point and its image, for the text of the chart

export default function ({ data, parentElement, setStateValue }) {
  if (!INSTANCES.has(parentElement)) INSTANCES.set(parentElement, new Hover(parentElement));
  INSTANCES.get(parentElement).receive(data, (anchor) => setStateValue("wanted", anchor));
}

class Hover {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "tip";
    this.root.hidden = true;
    this.root.innerHTML = `<canvas aria-hidden="true"></canvas>`;
    parent.appendChild(this.root);
    this.canvas = this.root.querySelector("canvas");
    this.attached = new WeakSet();
    const find = (event) => {
      if (!parent.isConnected) return document.removeEventListener("pointerover", find, true);
      if (event.pointerType !== "touch") this.enter(event.target);
    };
    document.addEventListener("pointerover", find, true);
  }

  receive(data, send) {
    if (data.version < this.version) return; // it was overtaken by newer data
    this.version = data.version;
    this.send = send;
    if (this.data?.anchor !== data.anchor) this.root.hidden = true;
    this.data = data;
    if (!data.atlas || this.drawn === data.atlas.source) return;
    this.drawn = data.atlas.source;
    const numbers = new Uint32Array(Uint8Array.from(atob(data.numbers), (c) => c.charCodeAt(0)).buffer);
    this.places = new Map(Array.from(numbers, (number, place) => [number, place]));
    this.picture = new Image();
    this.picture.src = data.atlas.source;
    this.picture.onload = () => this.show();
  }

  // Streamlit may replace the chart, so it is looked for whenever the pointer comes to it.
  enter(target) {
    const plot = target.closest?.(`.st-key-${this.data.chart}`)?.querySelector(".js-plotly-plot");
    if (!plot?.on) return;
    if (this.asked !== this.data.anchor && !this.data.atlas) {
      this.asked = this.data.anchor;
      this.send(this.asked);
    }
    if (this.attached.has(plot)) return;
    this.attached.add(plot);
    plot.on("plotly_hover", ({ points, event }) => {
      this.at = { number: Number(points[0].customdata), x: event.clientX, y: event.clientY };
      this.show();
    });
    plot.on("plotly_unhover", () => {
      this.at = null;
      this.root.hidden = true;
    });
  }

  show() {
    const place = this.at && this.data.atlas && this.places?.get(this.at.number);
    this.root.hidden = place === undefined || place === null || !this.picture?.complete;
    if (this.root.hidden) return;
    const { columns, width, height } = this.data.atlas;
    [this.canvas.width, this.canvas.height] = [width, height];
    const [left, top] = [(place % columns) * width, Math.floor(place / columns) * height];
    this.canvas.getContext("2d").drawImage(this.picture, left, top, width, height, 0, 0, width, height);
    const box = this.root.getBoundingClientRect();
    const above = this.at.y - GAP - box.height;
    this.root.style.top = `${above > 0 ? above : this.at.y + 2 * GAP}px`;
    this.root.style.left = `${Math.min(Math.max(4, this.at.x - box.width / 2), window.innerWidth - box.width - 4)}px`;
    this.root.dataset.image = this.at.number;
  }
}
