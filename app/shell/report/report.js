// Makes a report of the page that is open, and saves it. Texts, numbers and images are copied from the
// page, element by element and without what is not on a list, so nothing of the page runs in the report.

const IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]';
// Elements that are not drawn yet, and the Stop button of work (app/parts/live.py).
const UNREST = '[data-testid="stMain"] :is([data-stale="true"], [data-testid="stSkeleton"], [class*="-control"] [class*="-stop"])';
const PATIENCE = 15_000; // ms until a page that never rests is saved as it is
const TAGS = new Set("A B BLOCKQUOTE BR CODE DD DEL DL DT EM H1 H2 H3 H4 H5 H6 HR I LI OL P PRE S SMALL SPAN STRONG SUB SUP TABLE TBODY TD TH THEAD TR U UL".split(" "));
const ATTRIBUTES = ["title", "colspan", "rowspan", "lang"];
const MATHS = "accent accentunder columnalign columnspacing display displaystyle fence height linethickness lspace mathbackground mathcolor mathsize mathvariant maxsize minsize movablelimits rowspacing rspace scriptlevel separator stretchy symmetric voffset width".split(" ");
const SKIPPED = 'script, style, button, input, textarea, select, svg, [aria-hidden="true"], [data-testid="stIconMaterial"], span[role="img"][translate="no"], [data-testid^="stTooltip"], [data-testid="stHeaderActionElements"], [data-retained]';
const [APPLY, OVERLINE] = ["\u2061", /^[\u203e\u00af\u0304\u2015]$/]; // in MathML: function application, a long line
const MATHML = "http://www.w3.org/1998/Math/MathML";
// The report has its own ground and so its own colours for text and lines.
const TEMPLATE = { layout: { font: { color: "#1f2329", family: "sans-serif", size: 12 }, paper_bgcolor: "#fff", plot_bgcolor: "#fff",
  xaxis: { gridcolor: "#e4e0d6", linecolor: "#dad5c9", automargin: true }, yaxis: { gridcolor: "#e4e0d6", linecolor: "#dad5c9", automargin: true } } };
const DRAW = `for (const place of document.querySelectorAll(".chart")) {
  const { data, layout } = JSON.parse(place.querySelector("script").textContent);
  Plotly.newPlot(place.querySelector("div"), data, { ...layout, template: ${JSON.stringify(TEMPLATE)}, autosize: true }, { displaylogo: false, responsive: true });
}
addEventListener("beforeprint", () => document.querySelectorAll(".chart > div").forEach((each) => Plotly.Plots.resize(each)));`;
const POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'";

let [asked, made] = [null, null];

export default function ({ data, setTriggerValue }) {
  if (!data.file && data.token !== asked) {
    asked = data.token;
    rested().then(() => ask(data.token, setTriggerValue));
  }
  if (!data.file || data.token === made) return;
  made = data.token;
  new Report(data).save();
}

// Asks for the record, and again if the page was drawn anew before it answered.
async function ask(token, send) {
  for (let times = 0; times < 15 && asked === token && made !== token; times++) {
    send("rested", token);
    await wait(4000);
  }
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function rested() {
  const until = performance.now() + PATIENCE;
  let quiet = 0;
  while (quiet < 4 && performance.now() < until) {
    await wait(150);
    quiet = document.querySelector(IDLE) && !document.querySelector(UNREST) ? quiet + 1 : 0;
  }
}

class Report {
  constructor(data) {
    this.data = data;
    this.doc = document.implementation.createHTMLDocument(document.title);
    this.waiting = [];
  }

  async save() {
    const main = document.querySelector('[data-testid="stMainBlockContainer"]');
    this.add(this.doc.head, "meta", { charset: "utf-8" });
    this.add(this.doc.head, "meta", { "http-equiv": "Content-Security-Policy", content: POLICY });
    this.add(this.doc.head, "meta", { name: "viewport", content: "width=device-width" });
    this.add(this.doc.head, "style").textContent = this.data.css;
    this.add(this.doc.body, "p", { class: "about" }).textContent = `${this.data.about} · ${shown(location.href)}`;
    this.walk(main, this.doc.body);
    await Promise.all(this.waiting);
    this.scripts();
    const file = new Blob(["<!DOCTYPE html>\n", this.doc.documentElement.outerHTML], { type: "text/html" });
    const link = document.createElement("a");
    link.download = this.data.file;
    link.href = URL.createObjectURL(file);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  scripts() {
    if (!this.doc.querySelector(".chart")) return;
    for (const code of [this.data.plotly, DRAW]) {
      this.add(this.doc.body, "script").textContent = code.replace(/<(?=\/script|!--)/gi, "\\x3c");
    }
  }

  add(parent, tag, attributes = {}) {
    const made = this.doc.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    parent.append(made);
    return made;
  }

  // ---- elements of Streamlit

  walk(node, into) {
    for (const each of (node.shadowRoot ?? node).children) this.element(each, into);
  }

  element(node, into) {
    if (node.matches(SKIPPED) || getComputedStyle(node).display === "none") return;
    const draw = ELEMENTS[node.dataset?.testid ?? [...node.classList].find((each) => each === "stBidiComponent")];
    if (draw) draw(this, node, into);
    else this.walk(node, into);
  }

  text(node, into, attributes) {
    const place = this.add(into, "div", attributes);
    this.copy(node, place);
    if (!place.textContent.trim() && !place.querySelector("img, math, hr")) place.remove();
  }

  setting(node, into, value) {
    const label = node.querySelector('[data-testid="stWidgetLabel"]');
    if (!label?.textContent.trim() || value == null || value === "") return;
    const place = this.add(into, "span", { class: "setting" });
    this.copy(label.querySelector('[data-testid="stMarkdownContainer"]') ?? label, this.add(place, "b"));
    place.append(`: ${value}`);
  }

  chart(node, into) {
    const key = keyOf(node, "chart-");
    const [alt, figure] = this.data.charts[key] ?? [];
    if (!figure) return;
    const place = this.add(into, "figure", { class: "chart" });
    this.add(place, "div", { role: "img", "aria-label": alt });
    this.add(place, "script", { type: "application/json" }).textContent = figure.replaceAll("<", "\\u003c");
    this.add(place, "figcaption").textContent = alt;
  }

  table(node, into) {
    const [heads, rows, about] = this.data.tables[keyOf(node)] ?? [];
    if (!heads) return;
    const table = this.add(this.add(into, "div", { class: "wide" }), "table");
    const head = this.add(this.add(table, "thead"), "tr");
    for (const title of heads) this.add(head, "th").textContent = title;
    const body = this.add(table, "tbody");
    for (const row of rows) {
      const line = this.add(body, "tr");
      for (const cell of row) {
        const place = this.add(line, "td");
        if (cell.startsWith("data:image/")) this.add(place, "img", { src: cell, width: 40, alt: "" });
        else place.textContent = cell;
      }
    }
    if (about) this.add(into, "p", { class: "caption" }).textContent = about;
  }

  fold(node, into) {
    const [label, code] = this.data.codes[keyOf(node)] ?? [];
    const title = node.querySelector("summary");
    const heading = this.add(into, "h4");
    if (label) {
      heading.textContent = label;
      this.add(into, "pre").textContent = code;
      return;
    }
    if (title) this.copy(title, heading);
    const inside = node.querySelector('[data-testid="stExpanderDetails"]');
    if (inside) this.walk(inside, into);
    if (heading === into.lastElementChild) heading.remove();
  }

  image(node, into) {
    for (const picture of node.querySelectorAll("img")) {
      const place = this.add(into, "figure");
      this.picture(picture, place);
      const caption = picture.closest('[data-testid="stImageContainer"]')?.parentElement.querySelector('[data-testid="stImageCaption"]');
      if (caption) this.copy(caption, this.add(place, "figcaption"));
    }
  }

  picture(node, into) {
    const size = node.getBoundingClientRect();
    const made = this.add(into, "img", { alt: node.getAttribute("alt") ?? "" });
    if (size.width) made.setAttribute("width", Math.round(size.width));
    if (node.src.startsWith("data:image/")) made.setAttribute("src", node.src);
    else this.waiting.push(inline(node.src).then((source) => made.setAttribute("src", source), () => made.remove()));
  }

  // ---- text

  copy(node, into) {
    for (const each of (node.shadowRoot ?? node).childNodes) this.copyOne(each, into);
  }

  copyOne(node, into) {
    if (node.nodeType === Node.TEXT_NODE) return into.append(node.data);
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (node.classList.contains("katex")) return this.maths(node.querySelector("math"), into);
    if (node.tagName === "CANVAS") return this.canvas(node, into);
    if (node.tagName === "IMG") return this.picture(node, into);
    if (node.matches(SKIPPED) || getComputedStyle(node).display === "none") return;
    if (node.tagName === "DIV" && node.childNodes.length) return this.copy(node, this.add(into, "div", styles(node)));
    if (!TAGS.has(node.tagName)) return this.copy(node, into);
    const made = this.add(into, node.tagName.toLowerCase(), styles(node));
    for (const name of ATTRIBUTES) if (node.hasAttribute(name)) made.setAttribute(name, node.getAttribute(name));
    if (node.tagName === "A" && /^https?:/.test(node.href)) made.setAttribute("href", node.href);
    this.copy(node, made);
  }

  maths(node, into) {
    if (!node) return;
    if (node.nodeType === Node.TEXT_NODE) return into.append(node.data);
    if (node.localName === "annotation") return;
    if (node.localName === "semantics") return node.childNodes.forEach((each) => this.maths(each, into));
    if (node.textContent === APPLY) return this.space(node, into);
    const line = node.localName === "mover" && OVERLINE.test(node.lastElementChild?.textContent);
    const made = this.doc.createElementNS(MATHML, line ? "mrow" : node.localName);
    if (line) {
      made.setAttribute("style", "border-top:0.06em solid;padding-top:0.08em"); // not all fonts have a long line
      into.append(made);
      return this.maths(node.firstElementChild, made);
    }
    for (const name of MATHS) if (node.hasAttribute(name)) made.setAttribute(name, node.getAttribute(name));
    into.append(made);
    node.childNodes.forEach((each) => this.maths(each, made));
  }

  // The space between a function and its argument, which browsers leave out.
  space(node, into) {
    if (/^[(\[|]/.test(node.nextElementSibling?.textContent ?? "")) return;
    const made = this.doc.createElementNS(MATHML, "mspace");
    made.setAttribute("width", "0.17em");
    into.append(made);
  }

  canvas(node, into) {
    const size = node.getBoundingClientRect();
    if (!size.width || !node.width) return;
    this.add(into, "img", { src: node.toDataURL(), width: Math.round(size.width), alt: node.getAttribute("aria-label") ?? "" });
  }
}

const text = (attributes) => (report, node, into) => report.text(node, into, attributes);
const setting = (value) => (report, node, into) => report.setting(node, into, value(node));
const nothing = () => {};
const all = (node, selector) => [...node.querySelectorAll(selector)];

const ELEMENTS = {
  stHeading: text({}),
  stMarkdown: (report, node, into) => report.text(node, into, node.querySelector('[data-testid="stCaptionContainer"]') ? { class: "caption" } : {}),
  stText: text({}),
  stLatex: text({}),
  stHtml: text({}),
  stTable: text({}),
  stAlert: text({ class: "alert" }),
  stProgress: text({ class: "caption" }),
  stBidiComponent: text({}),
  stMetric: (report, node, into) => {
    const place = report.add(into, "div", { class: "metric" });
    for (const [part, tag] of [["stMetricLabel", "span"], ["stMetricValue", "b"], ["stMetricDelta", "span"]]) {
      const found = node.querySelector(`[data-testid="${part}"]`);
      if (found) report.copy(found, report.add(place, tag));
    }
  },
  stImage: (report, node, into) => report.image(node, into),
  stPlotlyChart: (report, node, into) => report.chart(node, into),
  stDataFrame: (report, node, into) => report.table(node, into),
  stExpander: (report, node, into) => report.fold(node, into),
  stCode: (report, node, into) => { report.add(into, "pre").textContent = node.querySelector("code")?.textContent ?? ""; },
  stTabs: (report, node, into) => {
    const tab = node.querySelector('[role="tab"][aria-selected="true"]');
    if (tab) report.add(into, "p", { class: "tab" }).textContent = tab.textContent;
    for (const panel of all(node, '[role="tabpanel"]')) if (!panel.hidden && panel.offsetParent) report.walk(panel, into);
  },
  stHorizontalBlock: (report, node, into) => {
    const row = report.add(into, "div", { class: "row" });
    for (const each of node.children) {
      const cell = report.add(row, "div", { class: "cell" });
      report.element(each, cell);
      if (!cell.hasChildNodes()) cell.remove();
    }
    if (!row.hasChildNodes()) row.remove();
  },
  stSelectbox: setting((node) => node.querySelector("input")?.value || node.querySelector('[data-baseweb="select"]')?.textContent),
  stMultiSelect: setting((node) => all(node, '[data-baseweb="tag"]').map((each) => each.textContent).join(", ")),
  stNumberInput: setting((node) => node.querySelector("input")?.value),
  stTextInput: setting((node) => node.querySelector("input")?.value),
  stTextArea: setting((node) => node.querySelector("textarea")?.value),
  stSlider: setting((node) => all(node, '[role="slider"]').map((each) => each.getAttribute("aria-valuetext") || each.getAttribute("aria-valuenow")).join(" to ")),
  stCheckbox: setting((node) => (node.querySelector("input")?.checked ? "yes" : "no")),
  stRadio: setting((node) => node.querySelector("input:checked")?.closest("label")?.textContent),
  stButtonGroup: setting((node) => all(node, '[aria-checked="true"], [aria-pressed="true"], [data-testid$="Active"]').map((each) => each.textContent).filter(Boolean).join(", ")),
  ...Object.fromEntries("stButton stDownloadButton stPopover stPageLink stFileUploader stLinkButton stCameraInput".split(" ").map((each) => [each, nothing])),
};

// The key of an element, from the class that Streamlit gives to the nearest element with a key.
function keyOf(node, prefix = "") {
  const start = `st-key-${prefix}`;
  const owner = node.closest(`[class*="${start}"]`);
  return [...(owner?.classList ?? [])].find((each) => each.startsWith(start))?.slice(start.length);
}

// Colours and alignment that an element has itself. Light colours, of the dark theme, become dark.
function styles(node) {
  const given = node.style ?? {};
  const kept = { color: given.color && onPaper(getComputedStyle(node).color), "text-align": given.textAlign };
  if (node.tagName === "I" && given.backgroundColor) kept["background-color"] = getComputedStyle(node).backgroundColor;
  const style = Object.entries(kept).filter(([, value]) => value).map((each) => each.join(":")).join(";");
  const rows = node.classList.contains("picture-rows") ? { class: "picture-rows" } : {};
  return style ? { ...rows, style } : rows;
}

function onPaper(colour) {
  let parts = colour.match(/\d+(\.\d+)?/g).slice(0, 3).map(Number);
  const light = () => (0.2126 * parts[0] ** 2 + 0.7152 * parts[1] ** 2 + 0.0722 * parts[2] ** 2) / 255 ** 2;
  while (light() > 0.18) parts = parts.map((each) => 0.9 * each); // a contrast of 4.5 with white
  return `rgb(${parts.map(Math.round).join(",")})`;
}

// The address of the screen alone, without the talk.
function shown(address) {
  const url = new URL(address);
  for (const name of ["talk", "talk_step", "present"]) url.searchParams.delete(name);
  return url.href;
}

async function inline(address) {
  const file = await (await fetch(address)).blob();
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = reject;
    reader.readAsDataURL(file);
  });
}
