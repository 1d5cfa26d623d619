// The list of images: one button per image, updated in place.
import { words as shown } from "./scale.js";
import { change, decisionOf, ordered, state } from "./state.js";

const WORDS = { waiting: "waiting", running: "looking …" };
const rows = new Map(); // item id -> its <li>

export function drawList(list) {
  const items = ordered();
  for (const [id, row] of rows) {
    if (!items.some((item) => item.id === id)) {
      row.remove();
      rows.delete(id);
    }
  }
  items.forEach((item, place) => {
    if (!rows.has(item.id)) rows.set(item.id, makeRow(item));
    const row = rows.get(item.id);
    if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
    fill(row.firstChild, item);
  });
}

/** Select the image `step` places on, and give its button the focus. */
export function moveBy(step) {
  const items = ordered();
  const place = items.indexOf(state.selected);
  const next = items[Math.min(items.length - 1, Math.max(0, place + step))];
  if (!next) return;
  change({ selected: next, hovered: null });
  rows.get(next.id)?.firstChild.focus();
}

function makeRow(item) {
  const row = document.createElement("li");
  row.innerHTML = `<button type="button" class="item"><img class="thumb" alt="" hidden><span class="thumb"></span>
    <span class="words"><span class="title"></span><span class="state"></span></span><span class="number"></span></button>`;
  row.querySelector(".title").append(...middle(item.name));
  row.firstChild.title = item.name;
  row.firstChild.addEventListener("click", () => change({ selected: item, hovered: null }));
  return row;
}

/** A name in two parts, of which only the first is cut where there is no room: endings tell files apart. */
function middle(name) {
  const at = Math.max(0, name.length - 12);
  return [["head", name.slice(0, at)], ["tail", name.slice(at)]].map(([className, textContent]) =>
    Object.assign(document.createElement("span"), { className, textContent }));
}

function fill(button, item) {
  const decision = item.status === "failed" ? "failed" : decisionOf(item);
  const words = decision === "failed" ? (item.retry ? "not looked at" : "could not be read") : decision ?? WORDS[item.status];
  const number = item.status === "done" ? shown(item.row.score) : "";
  button.setAttribute("aria-current", String(item === state.selected));
  button.setAttribute("aria-label", `${item.name} ${words} ${number}`.trim());
  button.dataset.decision = decision ?? "";
  const line = button.querySelector(".state");
  line.textContent = words;
  line.dataset.decision = decision ?? "";
  button.querySelector(".number").textContent = number;
  const [picture, blank] = button.querySelectorAll(".thumb");
  if (item.thumb && picture.hidden) {
    picture.src = item.thumb;
    picture.hidden = false;
    blank.hidden = true;
  }
}
