// The speaker's line of a talk. A step is opened as the browser's Back button would open it, so every
// choice that the address does not name has its default, and the server keeps what it has loaded.

const LINES = new WeakMap();
const HIDDEN = "elbo-room-notes-hidden";
let lastOrder = null;

export default function ({ data, parentElement }) {
  if (!LINES.has(parentElement)) LINES.set(parentElement, new Line(parentElement));
  LINES.get(parentElement).show(data);
}

class Line {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "talk-line";
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Talk");
    this.back = this.button("talk-back", "‹", () => this.open(this.data.at - 1));
    this.here = this.button("talk-here", "", () => this.open(Math.max(1, this.data.at)));
    this.next = this.button("talk-next", "›", () => this.open(this.data.at + 1));
    this.toggle = this.button("talk-notes", "Notes", () => this.hideNotes(!hidden()));
    this.note = document.createElement("span");
    this.note.className = "talk-note";
    this.root.append(this.note);
    parent.append(this.root);
    this.hideNotes(hidden());
  }

  button(name, text, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = name;
    button.textContent = text;
    button.onclick = () => { act(); button.blur(); };
    this.root.append(button);
    return button;
  }

  show(data) {
    this.data = data;
    const { at, steps } = data;
    this.here.textContent = `${at || "–"} / ${steps.length}`;
    this.back.disabled = at <= 1;
    this.next.disabled = at >= steps.length;
    const name = (number) => (steps[number - 1] ? `${number}. ${steps[number - 1][1]}` : "");
    this.back.title = `Step before: ${name(at - 1)}`;
    this.next.title = `Next step: ${name(at + 1)}`;
    this.here.title = at ? `This step again: ${name(at)}` : `Begin: ${name(1)}`;
    this.toggle.title = "Shows or hides the note of the step.";
    for (const button of [this.back, this.next, this.here]) button.setAttribute("aria-label", button.title);
    this.note.textContent = at ? steps[at - 1][2] : "";
    if (data.order && data.order.token !== lastOrder) {
      lastOrder = data.order.token;
      this.open(data.order.to, data.order.present);
    }
  }

  hideNotes(hide) {
    sessionStorage.setItem(HIDDEN, hide ? "yes" : "");
    document.documentElement.dataset.talkNotes = hide ? "hidden" : "shown";
    this.toggle.setAttribute("aria-pressed", String(!hide));
  }

  open(number, present = this.data.presenting) {
    const step = this.data.steps[number - 1];
    if (!step) return;
    const path = location.pathname.replace(/\/+$/, "");
    const base = this.data.page && path.endsWith(`/${this.data.page}`) ? path.slice(0, -this.data.page.length - 1) : path;
    const url = new URL(`${location.origin}${base}/${step[0]}`);
    if (this.data.talk) url.searchParams.set("talk", this.data.talk);
    url.searchParams.set("talk_step", number);
    if (present) url.searchParams.set("present", "true");
    // Shown at once; the server says the same when the page is drawn.
    this.show({ ...this.data, at: number, order: null });
    history.pushState(null, "", url);
    dispatchEvent(new PopStateEvent("popstate", { state: null }));
  }
}

function hidden() {
  return sessionStorage.getItem(HIDDEN) === "yes";
}
