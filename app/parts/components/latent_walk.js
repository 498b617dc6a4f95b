// Moves z by sliders and on a map, and shows the image that the server decodes from z.
//
// Only one position at a time is sent to the server. When its image has arrived, the latest position
// is sent next; those in between are dropped. So no queue builds up, however fast the mouse is.

const INSTANCES = new WeakMap();
const PATIENCE = 1500; // ms to wait for an answer

export default function ({ data, parentElement, setStateValue }) {
  if (!INSTANCES.has(parentElement)) INSTANCES.set(parentElement, new Walk(parentElement));
  INSTANCES.get(parentElement).receive(data, (value) => setStateValue("walk", value));
}

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const shown = (value) => value.toFixed(2).replace("-", "−");

class Walk {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "walk";
    this.root.innerHTML = `<div class="grid">
      <div class="pad"><canvas tabindex="0" role="application"></canvas><ul class="legend" aria-label="Classes"></ul><p></p></div>
      <div class="sliders"><div class="buttons">
        <button class="back" title="Moves every slider back to the posterior mean of the chosen image.">Back to the image</button>
        <button class="random" title="Draws every z from the prior, as for a newly generated image.">Draw z from the prior</button>
      </div><div class="directions"></div><div class="rows"></div></div>
      <div class="picture"><canvas class="large" role="img" aria-label="The decoded image"></canvas>
        <div class="below"><div><canvas class="small" role="img" aria-label="The chosen image"></canvas>
        <span class="caption">chosen image</span></div><table></table></div></div>
    </div>`;
    parent.appendChild(this.root);
    this.find = (selector) => this.root.querySelector(selector);
    this.waiting = this.next = this.held = null;
    this.find(".back").onclick = () => this.go(this.data.start.slice(), true);
    this.find(".random").onclick = () => this.go(this.data.start.map(normal), true);
    this.listenToPad(this.find(".pad canvas"));
    new ResizeObserver(() => this.drawPad()).observe(this.find(".pad canvas"));
  }

  receive(data, send) {
    if (data.version < this.version) return; // it was overtaken by newer data
    this.version = data.version;
    const before = this.data;
    this.data = data;
    this.send = send;
    if (this.anchor !== data.anchor) {
      this.anchor = data.anchor;
      this.waiting = this.next = null;
      this.z = data.z.slice();
      this.count = Math.max(this.count ?? 0, data.number);
    } else if (this.waiting === null && !this.held) this.z = data.z.slice();
    const which = ({ sliders, directions, reach }) => JSON.stringify([sliders, directions, reach]);
    if (!before || which(before) !== which(data)) this.buildSliders();
    this.root.classList.toggle("flat", !data.pad);
    if (data.pad && before?.pad?.points !== data.pad.points) this.readCloud();
    this.drawImage(this.find(".large"), data.image);
    this.drawImage(this.find(".small"), data.target);
    this.writeReadouts();
    this.showPosition();
    if (this.waiting !== null && data.number >= this.waiting) this.proceed();
  }

  // ---- to the server

  go(z, settled) {
    this.z = z;
    this.showPosition();
    this.next = { anchor: this.anchor, z: z.slice(), settled };
    if (this.waiting === null) this.proceed();
  }

  proceed() {
    clearTimeout(this.timer);
    this.waiting = null;
    if (!this.next) return;
    this.waiting = this.count = this.count + 1;
    this.timer = setTimeout(() => this.proceed(), PATIENCE);
    const value = { ...this.next, number: this.waiting };
    this.next = null;
    this.send(value);
  }

  // ---- the sliders

  buildSliders() {
    const { sliders, directions, reach } = this.data;
    this.sliders = [
      ...directions.map((each) => ({ ...each, of: (z) => this.along(z, each.step), move: (z, by) => moved(z, each.step, by) })),
      ...sliders.map((each) => ({ ...each, reach, of: (z) => z[each.dimension], move: (z, by) => moved(z, unit(z, each.dimension), by) })),
    ];
    const rows = this.sliders.map((slider) => this.row(slider));
    this.find(".directions").replaceChildren(...rows.slice(0, directions.length));
    this.find(".rows").replaceChildren(...rows.slice(directions.length));
  }

  row(slider) {
    const row = document.createElement("label");
    row.className = slider.dead ? "row dead" : "row";
    row.innerHTML = `<span class="name"></span><input type="range" step="0.01"><output class="value"></output><span class="about"></span>`;
    const input = (slider.input = row.querySelector("input"));
    [input.min, input.max] = [-slider.reach, slider.reach];
    input.setAttribute("aria-label", `${slider.name}, ${slider.note}`);
    row.querySelector(".name").textContent = slider.name;
    row.querySelector(".about").textContent = slider.note;
    const move = (settled) => {
      this.held = settled ? null : input;
      this.go(slider.move(this.z, Number(input.value) - slider.of(this.z)), settled);
    };
    input.oninput = () => move(false);
    input.onchange = () => move(true);
    return row;
  }

  // How far z is from the start along a step, in steps.
  along(z, step) {
    const dot = (a, b) => a.reduce((sum, each, i) => sum + each * b[i], 0);
    return dot(moved(z, this.data.start, -1), step) / dot(step, step);
  }

  showPosition() {
    for (const { input, of } of this.sliders) {
      const value = of(this.z);
      if (input !== this.held) input.value = value;
      const share = (Number(input.value) - input.min) / (input.max - input.min);
      input.style.setProperty("--filled", `${100 * share}%`);
      input.parentElement.querySelector("output").textContent = shown(value);
    }
    this.drawPad();
  }

  // ---- the pad

  readCloud() {
    const { pad } = this.data;
    this.points = new Int16Array(bytes(pad.points).buffer);
    this.classes = new Uint16Array(bytes(pad.classes).buffer);
    const canvas = this.find(".pad canvas");
    canvas.setAttribute("aria-label", "Map of the latent space: drag, or use the arrow keys, to move z.");
    this.find(".legend").replaceChildren(...pad.names.map((name, i) => entry(name, pad.colours[i])));
    if (pad.more) this.find(".legend").append(entry(`and ${pad.more} more`, "transparent"));
    this.find(".pad p").textContent = `Drag to move z. Across: ${pad.titles[0]}; up: ${pad.titles[1]}.`;
  }

  listenToPad(canvas) {
    const follow = (event, settled) => {
      const box = canvas.getBoundingClientRect();
      const share = (at, from, size) => Math.min(1, Math.max(-1, ((at - from) / size) * 2 - 1));
      const { reach, centre } = this.data.pad;
      this.moveInPlane(
        [
          centre[0] + reach * share(event.clientX, box.left, box.width),
          centre[1] - reach * share(event.clientY, box.top, box.height),
        ],
        settled,
      );
    };
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.held = canvas;
      follow(event, false);
    };
    canvas.onpointermove = (event) => this.held === canvas && follow(event, false);
    canvas.onpointerup = (event) => {
      if (this.held !== canvas) return;
      this.held = null;
      follow(event, true);
    };
    canvas.onpointercancel = () => (this.held = null);
    canvas.onkeydown = (event) => {
      const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
      if (!step) return;
      event.preventDefault();
      const [x, y] = this.inPlane(this.z);
      this.moveInPlane([x + step[0], y + step[1]], true);
    };
  }

  inPlane(z) {
    const { axes, origin } = this.data.pad;
    return axes.map((axis) => axis.reduce((sum, a, i) => sum + a * (z[i] - origin[i]), 0));
  }

  // The part of z outside the plane stays as it is.
  moveInPlane(place, settled) {
    const { axes } = this.data.pad;
    const now = this.inPlane(this.z);
    const by = place.map((p, k) => p - now[k]);
    this.go(this.z.map((value, i) => value + by[0] * axes[0][i] + by[1] * axes[1][i]), settled);
  }

  drawPad() {
    const pad = this.data?.pad;
    const canvas = this.find(".pad canvas");
    const side = canvas.clientWidth;
    if (!pad || !side) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.height = side * ratio;
    const ink = canvas.getContext("2d");
    ink.scale(ratio, ratio);
    const half = side / 2;
    const place = ([x, y]) => [
      half * (1 + (x - pad.centre[0]) / pad.reach),
      half * (1 - (y - pad.centre[1]) / pad.reach),
    ];
    ink.strokeStyle = this.data.neutral;
    ink.setLineDash([2, 3]);
    for (const sigma of [1, 2, 3]) disc(ink, half, half, (sigma * half) / pad.reach).stroke();
    ink.setLineDash([]);
    ink.globalAlpha = 0.7;
    for (let i = 0; i < this.classes.length; i++) {
      ink.fillStyle = pad.colours[this.classes[i]];
      const [x, y] = [this.points[2 * i] / 32767, this.points[2 * i + 1] / 32767];
      disc(ink, half * (1 + x), half * (1 - y), 2).fill();
    }
    ink.globalAlpha = 1;
    ink.strokeStyle = ink.fillStyle = this.data.accent;
    ink.lineWidth = 2;
    disc(ink, ...place(this.inPlane(this.data.start)), 6).stroke();
    disc(ink, ...place(this.inPlane(this.z)), 6).fill();
  }

  // ---- pictures and numbers

  drawImage(canvas, text) {
    const [height, width, colours = 1] = this.data.shape;
    this.root.style.setProperty("--shape", `${width} / ${height}`);
    [canvas.width, canvas.height] = [width, height];
    const ink = canvas.getContext("2d");
    const [dark, light] = this.data.inks.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
    const image = ink.createImageData(width, height);
    const levels = bytes(text);
    for (let i = 0; i < width * height; i++) {
      for (let k = 0; k < 3; k++) {
        image.data[4 * i + k] = colours === 3 ? levels[3 * i + k] : dark[k] + (levels[i] / 255) * (light[k] - dark[k]);
      }
      image.data[4 * i + 3] = 255;
    }
    ink.putImageData(image, 0, 0);
  }

  writeReadouts() {
    const rows = this.data.readouts.map(([label, value, colour]) => {
      const row = document.createElement("tr");
      row.innerHTML = `<td><i></i><span></span></td><td></td>`;
      row.querySelector("i").style.background = colour;
      row.querySelector("span").textContent = label;
      row.lastChild.textContent = value;
      return row;
    });
    this.find("table").replaceChildren(...rows);
  }
}

const moved = (z, step, by) => z.map((value, i) => value + by * step[i]);
const unit = (z, dimension) => z.map((_, i) => Number(i === dimension));

function entry(name, colour) {
  const item = document.createElement("li");
  const dot = document.createElement("i");
  dot.style.background = colour;
  item.append(dot, name);
  return item;
}

function disc(ink, x, y, radius) {
  ink.beginPath();
  ink.arc(x, y, radius, 0, 2 * Math.PI);
  return ink;
}

function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
