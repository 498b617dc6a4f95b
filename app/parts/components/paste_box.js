// Reads images from the clipboard: by Ctrl+V anywhere on the page, or by a button.

const INSTANCES = new WeakMap();
const KEYS = /Mac|iP(hone|ad)/.test(navigator.platform) ? "⌘V" : "Ctrl+V";
const NOTHING = "There is no image in the clipboard. Copy an image or take a screenshot first.";

export default function ({ data, parentElement, setTriggerValue }) {
  if (!INSTANCES.has(parentElement)) INSTANCES.set(parentElement, new Box(parentElement));
  const box = INSTANCES.get(parentElement);
  box.most = data.megabytes;
  box.send = (images) => setTriggerValue("images", images);
  return () => box.leave();
}

class Box {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "paste";
    this.root.innerHTML = `<button type="button" title="Reads an image from the clipboard and scores it.">Paste an image</button>
      <span>or press ${KEYS} anywhere on this page</span><p role="status"></p>`;
    parent.appendChild(this.root);
    this.parent = parent;
    this.root.querySelector("button").onclick = () => this.read();
    this.hear = (event) => this.take(event);
    document.addEventListener("paste", this.hear);
  }

  leave() {
    document.removeEventListener("paste", this.hear);
    this.root.remove();
    INSTANCES.delete(this.parent);
  }

  say(sentence) {
    this.root.querySelector("p").textContent = sentence;
  }

  take(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    const writing = event.composedPath()[0].matches?.("input, textarea, [contenteditable]");
    if (!files.length && writing) return; // text pasted into a text field
    if (files.length) event.preventDefault();
    this.give(files);
  }

  async read() {
    if (!navigator.clipboard?.read) {
      this.say(`In this browser a button cannot read the clipboard here. Press ${KEYS} instead.`);
      return;
    }
    try {
      const found = [];
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((each) => each.startsWith("image/"));
        if (type) found.push(await item.getType(type));
      }
      await this.give(found);
    } catch {
      this.say(`The browser did not let this page read the clipboard. Allow it beside the address, or press ${KEYS}.`);
    }
  }

  async give(files) {
    if (!files.length) return this.say(NOTHING);
    if (files.some((file) => file.size > this.most * 1e6)) {
      return this.say(`An image of more than ${this.most} MB is too large to paste. Upload it as a file.`);
    }
    this.say("");
    this.send(await Promise.all(files.map(base64)));
  }
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
