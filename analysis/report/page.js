// Filters: a box that is not checked hides all that has its value, by attributes data-method, data-type and so on.
// What is hidden stands in the address, #hide:method=mfp,fresh;type=store, so that a view can be sent on.
"use strict";
const boxes = [...document.querySelectorAll(".filters input")];
const parts = [...document.querySelectorAll("main [data-method], main [data-type], main [data-env], main [data-agents]")];
const kinds = ["method", "type", "env", "agents"];

function show() {
  const off = Object.fromEntries(kinds.map((kind) => [kind, new Set()]));
  for (const box of boxes) if (!box.checked) off[box.name].add(box.value);
  for (const part of parts) {
    part.classList.toggle("off", kinds.some((kind) => kind in part.dataset && off[kind].has(part.dataset[kind])));
  }
  const hidden = boxes.filter((box) => !box.checked).length;
  document.getElementById("hidden-count").textContent = hidden ? `${hidden} hidden` : "all shown";
  return kinds
    .filter((kind) => off[kind].size)
    .map((kind) => `${kind}=${[...off[kind]].map(encodeURIComponent).join(",")}`)
    .join(";");
}

function read() {
  const hash = location.hash;
  if (!hash.startsWith("#hide:")) return;
  const off = new Set();
  for (const part of hash.slice(6).split(";")) {
    const [kind, values = ""] = part.split("=");
    for (const value of values.split(",")) {
      try {
        off.add(`${kind}=${decodeURIComponent(value)}`);
      } catch {
        // a mangled address hides nothing
      }
    }
  }
  for (const box of boxes) box.checked = !off.has(`${box.name}=${box.value}`);
  show();
}

function changed() {
  const hidden = show();
  history.replaceState(null, "", hidden ? `#hide:${hidden}` : "#answer");
}

const filters = document.querySelector(".filters");
if (filters) {
  filters.hidden = false;
  filters.addEventListener("change", changed);
  document.getElementById("show-all").addEventListener("click", () => {
    for (const box of boxes) box.checked = true;
    changed();
  });
  window.addEventListener("hashchange", read);
  show();
  read();
}
