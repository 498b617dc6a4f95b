// A sheet of pictures to select from. The browser keeps the selection and sends it at every change.

const INSTANCES = new WeakMap();
const CLICK = "Click selects, Shift+click selects a range.";

export default function ({ data, parentElement, setStateValue }) {
  if (!INSTANCES.has(parentElement)) INSTANCES.set(parentElement, new Sheet(parentElement));
  INSTANCES.get(parentElement).receive(data, (names) => setStateValue("selected", names));
}

class Sheet {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "sheet";
    this.root.innerHTML = `<div class="pictures"></div><div class="bar"><span class="count" role="status"></span>
      <button class="text clear" type="button" title="Selects no image.">Clear</button>
      <button class="text copy" type="button" title="Copies the names of the selected images, one a line.">Copy names</button>
    </div>`;
    parent.appendChild(this.root);
    this.find = (selector) => this.root.querySelector(selector);
    this.selected = [];
    this.last = null;
    this.drawn = "";
    this.find(".clear").onclick = () => this.choose([]);
    this.find(".copy").onclick = () => this.copy();
  }

  receive(data, send) {
    if (data.version < this.version) return; // it was overtaken by newer data
    this.version = data.version;
    this.send = send;
    this.names = data.groups.flatMap((group) => group.pictures.map((each) => each.name));
    const now = JSON.stringify([data.groups.map((group) => [group.title, group.pictures.map((each) => each.text)]), data.line]);
    if (now !== this.drawn) this.build(data);
    this.drawn = now;
    this.shown = data.shown;
    this.mark();
  }

  build(data) {
    const pictures = this.find(".pictures");
    const at = pictures.scrollTop;
    this.buttons = new Map();
    pictures.replaceChildren(...data.groups.flatMap((group, place) => this.group(group, data.line, place + 1 < data.groups.length)));
    pictures.scrollTop = at;
  }

  group(group, line, others) {
    const head = element("div", "head");
    const dot = element("span", "dot");
    dot.style.background = group.colour;
    const all = element("button", "text", "Select all");
    all.type = "button";
    all.title = `Selects the ${group.pictures.length} images of this group too.`;
    all.onclick = () => this.choose([...this.selected, ...group.pictures.map((each) => each.name)]);
    head.append(dot, element("span", "title", `${group.title} (${group.pictures.length.toLocaleString("en")})`), all);
    const grid = element("div", "grid");
    grid.append(...group.pictures.map((each) => this.picture(each)));
    return group.line_below && others ? [head, grid, element("div", "line", line)] : [head, grid];
  }

  picture({ name, source, text }) {
    const button = element("button", "");
    const image = element("img", "");
    button.type = "button";
    button.title = text;
    image.src = source;
    image.alt = text;
    button.append(image);
    button.onclick = (event) => this.click(name, event.shiftKey);
    this.buttons.set(name, button);
    return button;
  }

  click(name, range) {
    const [from, to] = [this.names.indexOf(this.last), this.names.indexOf(name)].sort((a, b) => a - b);
    this.last = name;
    if (range && from >= 0) return this.choose([...this.selected, ...this.names.slice(from, to + 1), name]);
    const is = this.selected.includes(name);
    this.choose(is ? this.selected.filter((each) => each !== name) : [...this.selected, name]);
  }

  choose(names) {
    // The last one of equal names stays, because the page shows the image that was selected last.
    this.selected = [...new Set([...names].reverse())].reverse();
    this.mark();
    this.send(this.selected);
  }

  mark() {
    const chosen = new Set(this.selected);
    for (const [name, button] of this.buttons) {
      button.setAttribute("aria-pressed", chosen.has(name));
      button.classList.toggle("shown", name === this.shown);
    }
    const count = this.selected.length;
    this.find(".count").textContent = count ? `${count.toLocaleString("en")} selected` : CLICK;
    for (const each of [".clear", ".copy"]) this.find(each).disabled = !count;
  }

  async copy() {
    const text = this.selected.join("\n");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copyByHand(text); // without https, a browser has no clipboard for pages
    }
    this.find(".count").textContent = `${this.selected.length.toLocaleString("en")} names copied`;
  }
}

function element(tag, name, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

function copyByHand(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
