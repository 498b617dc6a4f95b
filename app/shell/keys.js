// Keys for pages, tabs and Play; a sheet that lists them; our own words when the server is gone.
//
// A key does what a click does: it clicks the link, the tab or the button that the page shows.

const STEP_EVERY = 1200; // ms between two steps of Play
const IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]';
const BUTTONS = ".st-key-another button";
const PLAY = ".st-key-play button";
const SLIDERS = ":is([class*=st-key-frame-], .st-key-step) input[type=range]";
const ADVICE = /Is Streamlit still running|Streamlit server is not responding/;
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const visible = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.offsetParent !== null);

let listener = null;

export default function ({ data }) {
  listener ??= new Listener();
  listener.data = data;
}

class Listener {
  constructor() {
    document.addEventListener("keydown", (event) => this.press(event));
    document.addEventListener("click", (event) => this.clickPlay(event), true);
    document.documentElement.dataset.keys = "listening";
    new MutationObserver(() => this.replaceAdvice()).observe(document.body, { childList: true, subtree: true });
  }

  press(event) {
    const writing = event.composedPath()[0].matches?.("input:not([type=range]), textarea, select, [contenteditable]");
    if (writing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const act = {
      "?": () => this.toggleSheet(),
      "]": () => turnTab(1),
      "[": () => turnTab(-1),
      p: () => this.togglePlay(),
      n: () => press(".talk-notes"),
      PageDown: () => this.data.presenting && turn(1),
      PageUp: () => this.data.presenting && turn(-1),
    }[event.key];
    if (act && act() !== false) event.preventDefault();
  }

  toggleSheet() {
    const open = document.querySelector("dialog.keys-sheet");
    if (open) return open.close();
    const sheet = document.createElement("dialog");
    sheet.className = "keys-sheet";
    sheet.setAttribute("aria-label", "Keys");
    const list = document.createElement("dl");
    for (const [key, what] of this.data.keys) {
      const [term, text] = [document.createElement("dt"), document.createElement("dd")];
      [term.textContent, text.textContent] = [key, what];
      list.append(term, text);
    }
    sheet.append(list);
    sheet.onclose = () => sheet.remove();
    sheet.onclick = () => sheet.close();
    sheet.onkeydown = (event) => event.key === "Escape" && event.stopPropagation();
    document.querySelector('[data-testid="stApp"]').append(sheet);
    sheet.showModal();
  }

  // ---- Play: one step for each press where the system asks for less motion

  // Our own button Play is not for the server: the click ends here.
  clickPlay(event) {
    if (!event.target.closest?.(PLAY)) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    this.togglePlay();
  }

  togglePlay() {
    if (this.playing) return this.pause();
    if (!step() && !rewind()) return false;
    if (still()) return;
    const page = location.pathname;
    this.playing = setInterval(() => {
      if (location.pathname !== page || still()) return this.pause();
      if (!document.querySelector(IDLE) || document.hidden) return;
      if (!step()) this.pause();
    }, STEP_EVERY);
    document.documentElement.dataset.playing = "yes";
  }

  pause() {
    clearInterval(this.playing);
    this.playing = null;
    delete document.documentElement.dataset.playing;
  }

  // ---- the server is gone

  replaceAdvice() {
    for (const dialog of document.querySelectorAll('[role="dialog"]:not(:has([data-server-gone]))')) {
      if (!ADVICE.test(dialog.textContent)) continue;
      const holds = (e) => ADVICE.test(e.textContent) && e.textContent.includes("yourscript") === dialog.textContent.includes("yourscript");
      let found = dialog;
      for (let inner = found; inner; inner = [...inner.children].find(holds)) found = inner;
      found.dataset.serverGone = this.data.gone;
    }
  }
}

function turn(by) {
  return visible(".talk-line").length ? press(by > 0 ? ".talk-next" : ".talk-back") : turnPage(by);
}

// Presses a button of the talk's line; false where there is none.
function press(selector) {
  const [button] = visible(selector);
  if (!button) return false;
  button.click();
}

function turnPage(by) {
  const links = visible(".st-key-presenter-strip a");
  const own = (link) => new URL(link.href).pathname.replace(/\/$/, "");
  // The link to the first page, which has no path, seems to lead to the present page.
  const at = links.findLastIndex((link) => own(link) === location.pathname.replace(/\/$/, ""));
  const next = links[at + by];
  if (!next || at < 0) return false;
  next.click();
}

function turnTab(by) {
  const tabs = visible('[data-testid="stMain"] [role="tablist"]')[0]?.querySelectorAll('[role="tab"]') ?? [];
  const at = [...tabs].findIndex((tab) => tab.getAttribute("aria-selected") === "true");
  if (at < 0 || !tabs[at + by]) return false;
  tabs[at + by].click();
}

// Presses the page's own button for a step, or moves its slider; false at the end or without one.
function step() {
  const [button] = visible(BUTTONS);
  if (button) return button.click(), true;
  const [thumb] = visible(SLIDERS);
  if (!thumb || thumb.value === thumb.max) return false;
  return type(thumb, "ArrowRight");
}

// Moves the page's slider from its end to its start, as its last step is what a page shows at first.
function rewind() {
  const [thumb] = visible(SLIDERS);
  return Boolean(thumb) && type(thumb, "Home");
}

function type(thumb, key) {
  for (const kind of ["keydown", "keyup"]) {
    thumb.dispatchEvent(new KeyboardEvent(kind, { key, code: key, bubbles: true, cancelable: true }));
  }
  return true;
}
