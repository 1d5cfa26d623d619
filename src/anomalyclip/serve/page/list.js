// The list of images, as rows, as a strip on a phone or as a grid. Only what is in view has elements: 5,000 images scroll.
import { say } from "./language.js";
import { words as shown } from "./scale.js";
import { change, changeOf, decisionOf, ordered, saidOf, state } from "./state.js";

const AHEAD = 6; // lines of cells beyond the view that are ready
const CELLS = { rows: [0, 62], strip: [72, 82], grid: [190, 208] }; // width and height in pixels; 0 is all there is
const WAITING = { waiting: "waiting", running: "looking …" };
const SAID = { "false alarm": "a false alarm", faulty: "faulty" };
const rows = new Map(); // item id -> its <li>
const spare = []; // <li> of items that are out of view, for others
const narrow = matchMedia("(max-width: 760px)");
let list = null;
let items = [];

export function setUpList(element) {
  list = element;
  list.addEventListener("scroll", () => place(false), { passive: true });
  new ResizeObserver(() => place()).observe(list);
}

export function drawList() {
  items = ordered();
  place();
}

const kind = () => (state.view === "grid" ? "grid" : narrow.matches ? "strip" : "rows");

/** Where the cell of a place stands, and what there is in all. */
function layout() {
  const [width, height] = CELLS[kind()];
  if (kind() === "strip") return { columns: 1, width, height, at: (place) => [place * width, 0], whole: [items.length * width, height] };
  const columns = width ? Math.max(1, Math.floor(list.clientWidth / width)) : 1;
  const at = (place) => [(place % columns) * width, Math.floor(place / columns) * height];
  return { columns, width, height, at, whole: [0, Math.ceil(items.length / columns) * height] };
}

/** all: draw what stands already, too; scrolling needs only what comes into view. */
function place(all = true) {
  const { columns, width, height, at, whole } = layout();
  list.dataset.kind = kind();
  list.style.setProperty("--wide", `${whole[0]}px`);
  list.style.setProperty("--high", `${whole[1]}px`);
  const strip = kind() === "strip";
  const [from, room, step] = strip ? [list.scrollLeft, list.clientWidth, width] : [list.scrollTop, list.clientHeight, height];
  const first = Math.max(0, Math.floor(from / step) - AHEAD) * columns;
  const last = Math.min(items.length, (Math.ceil((from + room) / step) + AHEAD) * columns);
  const seen = new Set(items.slice(first, last).map((item) => item.id));
  for (const [id, row] of rows) {
    if (seen.has(id)) continue;
    rows.delete(id);
    if (row.contains(document.activeElement)) row.remove(); // the focus does not go over to another image
    else spare.push(row);
  }
  let order = false;
  for (let number = first; number < last; number++) {
    const item = items[number];
    const known = rows.has(item.id);
    if (known && !all) continue;
    if (!known) rows.set(item.id, freshRow());
    const row = rows.get(item.id);
    if (known) order ||= row.number !== number;
    else order = true;
    put(row, item, number, at(number));
  }
  for (const row of spare.splice(0)) row.remove();
  if (order) inOrder();
}

/** One row where it stands; what it says already is not written again. */
function put(row, item, number, [x, y]) {
  if (row.item !== item) {
    row.item = item;
    row.said = "";
    row.querySelector(".title").replaceChildren(...middle(item.name));
    row.firstChild.title = item.name;
  }
  const place = `${x} ${y} ${items.length}`;
  if (row.place !== place) {
    row.place = place;
    row.number = number;
    row.style.transform = `translate(${x}px, ${y}px)`;
    row.setAttribute("aria-setsize", items.length);
    row.setAttribute("aria-posinset", number + 1);
  }
  fill(row, item);
}

/** Rows as readers and the key Tab go through them; only those that stand elsewhere are moved. */
function inOrder() {
  const wanted = [...rows.values()].sort((a, b) => a.number - b.number);
  for (const [at, row] of wanted.entries()) if (list.children[at] !== row) list.insertBefore(row, list.children[at] ?? null);
}

/** Select the image `step` places on, bring it into view and give its button the focus. */
export function moveBy(step) {
  const from = items.indexOf(state.selected);
  const next = items[Math.min(items.length - 1, Math.max(0, from + step))];
  if (!next) return;
  change({ selected: next, hovered: null });
  reveal(items.indexOf(next));
  rows.get(next.id)?.firstChild.focus({ preventScroll: true });
}

/** How many places one line of cells has, for the keys up and down. */
export const perLine = () => layout().columns;

function reveal(number) {
  const { at, width, height } = layout();
  const [x, y] = at(number);
  if (kind() === "strip") list.scrollLeft = Math.min(x, Math.max(list.scrollLeft, x + width - list.clientWidth));
  else list.scrollTop = Math.min(y, Math.max(list.scrollTop, y + height - list.clientHeight));
  place();
}

/** One that was used before, taken out of the order in which the others stand: they need not move. */
function freshRow() {
  const row = spare.pop() ?? makeRow();
  row.remove();
  return row;
}

function makeRow() {
  const row = document.createElement("li");
  row.innerHTML = `<button type="button" class="item"><img class="thumb" alt="" hidden><span class="thumb"></span>
    <span class="words"><span class="title"></span><span class="state"></span></span><span class="number"></span></button>`;
  row.firstChild.addEventListener("click", () => change({ selected: row.item, hovered: null, view: "one" }));
  return row;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A name in two parts, of which only the first is cut where there is no room: endings tell files apart. One that runs to the left is not torn. */
export function middle(name) {
  const letters = [...name];
  const at = RIGHT_TO_LEFT.test(name) ? letters.length : Math.max(0, letters.length - 12);
  return [["head", letters.slice(0, at).join("")], ["tail", letters.slice(at).join("")]].map(([className, textContent]) =>
    Object.assign(document.createElement("span"), { className, textContent }));
}

function fill(row, item) {
  const button = row.firstChild;
  const decision = item.status === "failed" ? "failed" : decisionOf(item);
  const changed = changeOf(item);
  const said = saidOf(item);
  let words = say(decision === "failed" ? (item.retry ? "not looked at" : "could not be read") : decision ?? WAITING[item.status]);
  if (changed) words = `${say(changed)} → ${words}`;
  if (said) words += `, ${say(SAID[said])}`;
  const number = item.status === "done" ? shown(item.row.score) : "";
  const url = (kind() === "grid" ? item.heatThumb : item.thumb) ?? "";
  const all = [words, number, decision, item === state.selected, url].join("\n");
  if (row.said === all) return;
  row.said = all;
  button.setAttribute("aria-current", String(item === state.selected));
  button.setAttribute("aria-label", `${item.name} ${words} ${number}`.trim());
  button.dataset.decision = decision ?? "";
  const line = button.querySelector(".state");
  line.textContent = words;
  line.dataset.decision = decision ?? "";
  button.querySelector(".number").textContent = number;
  const [picture, blank] = button.querySelectorAll(".thumb");
  if (url && picture.src !== url) picture.src = url;
  picture.hidden = !url;
  blank.hidden = Boolean(url);
}
