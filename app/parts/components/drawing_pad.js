// A pad to draw on. The browser keeps the strokes and sends them when the pen is lifted.

const INSTANCES = new WeakMap();
const CLOSE = 0.003; // points nearer than this to the last one are left out, as a share of the side

export default function ({ data, parentElement, setStateValue }) {
  if (!INSTANCES.has(parentElement)) INSTANCES.set(parentElement, new Pad(parentElement, data));
  INSTANCES.get(parentElement).receive(data, (strokes) => setStateValue("strokes", strokes));
}

class Pad {
  constructor(parent, data) {
    this.root = document.createElement("div");
    this.root.className = "drawing";
    this.root.innerHTML = `<div class="pad"><canvas tabindex="0" role="img"></canvas></div><div class="buttons">
      <button class="undo" type="button" title="Removes the last stroke (Ctrl+Z). The score is updated.">Undo</button>
      <button class="clear" type="button" title="Clears the pad for another drawing.">Clear</button>
    </div>`;
    parent.appendChild(this.root);
    this.canvas = this.root.querySelector("canvas");
    this.undo = this.root.querySelector(".undo");
    this.clear = this.root.querySelector(".clear");
    this.strokes = data.strokes;
    this.wiped = [];
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  receive(data, send) {
    if (data.version < this.version) return; // it was overtaken by newer data
    this.version = data.version;
    this.data = data;
    this.send = send;
    this.draw();
  }

  // ---- the pen

  listen() {
    this.canvas.onpointerdown = (event) => this.down(event);
    this.canvas.onpointermove = (event) => this.move(event);
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.canvas.addEventListener(end, (event) => this.up(event));
    }
    this.canvas.oncontextmenu = (event) => this.pen !== undefined && event.preventDefault(); // a long press
    this.undo.onclick = () => this.takeBack();
    this.clear.onclick = () => this.wipe();
    this.root.onkeydown = (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
      event.preventDefault();
      this.takeBack();
    };
  }

  down(event) {
    if (this.pen !== undefined || event.button !== 0) return; // a second finger draws nothing
    this.canvas.setPointerCapture(event.pointerId);
    this.pen = event.pointerId;
    this.strokes = [...this.strokes, { width: this.data.width, points: this.place(event) }];
    this.draw();
  }

  move(event) {
    if (event.pointerId !== this.pen) return;
    const { points } = this.strokes.at(-1);
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length ? passed : [event]) {
      const [x, y] = this.place(each);
      if (Math.hypot(x - points.at(-2), y - points.at(-1)) > CLOSE) points.push(x, y);
    }
    this.draw();
  }

  up(event) {
    if (event.pointerId !== this.pen) return;
    this.pen = undefined;
    this.tell(this.strokes);
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = (at, from, size) => Math.round(((at - from) / size) * 1e4) / 1e4;
    return [share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)];
  }

  // ---- the buttons

  takeBack() {
    if (this.pen !== undefined) return;
    if (this.strokes.length) this.tell(this.strokes.slice(0, -1));
    else if (this.wiped.length) this.tell(this.wiped);
  }

  wipe() {
    this.wiped = this.strokes;
    this.tell([]);
  }

  tell(strokes) {
    this.strokes = strokes;
    this.draw();
    this.send(strokes);
  }

  // ---- the picture

  draw() {
    const side = this.canvas.clientWidth;
    if (!side || !this.data) return;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = this.canvas.height = Math.round(side * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(side * ratio, side * ratio);
    const [ground, ink] = this.data.inks;
    pen.fillStyle = ground;
    pen.fillRect(0, 0, 1, 1);
    pen.strokeStyle = ink;
    pen.lineCap = pen.lineJoin = "round";
    for (const { width, points } of this.strokes) {
      pen.lineWidth = width;
      pen.beginPath();
      pen.moveTo(points[0], points[1]);
      for (let i = 0; i < points.length; i += 2) pen.lineTo(points[i], points[i + 1]);
      pen.stroke();
    }
    this.describe();
  }

  describe() {
    const count = this.strokes.length;
    this.root.classList.toggle("empty", !count);
    const held = count === 1 ? "1 stroke" : `${count || "no"} strokes`;
    this.canvas.setAttribute("aria-label", `Your drawing, ${held}. Draw with the mouse, a pen or a finger.`);
    this.undo.disabled = !count && !this.wiped.length;
    this.clear.disabled = !count;
  }
}
