// The list of images, as rows, as a strip on a phone or as a grid. Only what is in view has elements: 5,000 images scroll.
import { say } from "./language.js";
import { inTwo, setUpNames, tellApart } from "./names.js";
import { words as shown } from "./scale.js";
import { change, changeOf, decisionOf, ordered, saidOf, state } from "./state.js";
import { write } from "./write.js";

const AHEAD = 6; // lines of cells beyond the view that are ready
const FLIGHT = 1 / 3; // of the view, scrolled in one step: too fast for pictures, which then come when it rests
const REST = 90; // milliseconds without a step
const CELLS = { rows: [0, 62], strip: [72, 82], grid: [190, 208] }; // least width and height in pixels; 0 is all there is
const BESIDE_NAMES = { rows: 142, strip: 0, grid: 30 }; // pixels of a cell's width that are not its name's
const WAITING = { waiting: "waiting", running: "looking …" };
const SAID = { "false alarm": "a false alarm", faulty: "faulty" };
const rows = new Map(); // item id -> its <li>
const spare = []; // <li> of items that are out of view, for others
const narrow = matchMedia("(max-width: 760px)");
let list = null;
let items = [];
let apart = null; // the items whose names were last told apart
let room = [0, 0]; // of the list in pixels, as it was observed: asking for it while scrolling would lay the page out
let framed = ""; // what its style was written for
let before = 0; // where it was scrolled to
let flying = false;
let resting = 0;

export function setUpList(element) {
  list = element;
  setUpNames(`14px ${getComputedStyle(list).fontFamily}`);
  list.addEventListener("scroll", scrolled, { passive: true });
  new ResizeObserver(() => {
    room = [list.clientWidth, list.clientHeight];
    place();
  }).observe(list);
}

const along = () => (kind() === "strip" ? [list.scrollLeft, room[0]] : [list.scrollTop, room[1]]);

function scrolled() {
  const [from, seen] = along();
  flying = Math.abs(from - before) > FLIGHT * seen;
  before = from;
  clearTimeout(resting);
  resting = setTimeout(rest, REST);
  place(false);
}

function rest() {
  flying = false;
  place();
}

export function drawList() {
  items = ordered();
  if (apart !== state.items) tellApart((apart = state.items).map(({ name }) => name));
  place();
}

const kind = () => (state.view === "grid" ? "grid" : narrow.matches ? "strip" : "rows");

/** Where the cell of a place stands, and what there is in all. */
function layout() {
  const [least, height] = CELLS[kind()];
  if (kind() === "strip") return { columns: 1, width: least, height, at: (place) => [place * least, 0], whole: [items.length * least, height] };
  const columns = least ? Math.max(1, Math.floor(room[0] / least)) : 1;
  const width = Math.floor(room[0] / columns);
  const at = (place) => [(place % columns) * width, Math.floor(place / columns) * height];
  return { columns, width, height, at, whole: [0, Math.ceil(items.length / columns) * height] };
}

/** all: draw what stands already, too; scrolling needs only what comes into view. */
function place(all = true) {
  const { columns, width, height, at, whole } = layout();
  frame(kind(), ...whole, width);
  const [from, seen] = along();
  const step = kind() === "strip" ? width : height;
  const ahead = flying ? 0 : AHEAD;
  const hasty = flying && !all;
  const first = Math.max(0, Math.floor(from / step) - ahead) * columns;
  const last = Math.min(items.length, (Math.ceil((from + seen) / step) + ahead) * columns);
  const wanted = new Set(items.slice(first, last).map((item) => item.id));
  for (const [id, row] of rows) {
    if (wanted.has(id)) continue;
    rows.delete(id);
    if (row.contains(document.activeElement)) row.remove(); // the focus does not go over to another image
    else spare.push(row);
  }
  for (let number = first; number < last; number++) {
    const item = items[number];
    const known = rows.get(item.id);
    if (known && !all) continue;
    if (!known) rows.set(item.id, spare.pop() ?? makeRow());
    if (!known && !hasty) rows.get(item.id).remove(); // out of the order in which the others stand: they need not move
    put(rows.get(item.id), item, number, at(number), width - BESIDE_NAMES[kind()]);
  }
  if (hasty) return; // who flies past thousands reads no order, and what is left over is used at the next step
  for (const row of spare.splice(0)) row.remove();
  inOrder();
}

/** What the list's own style says, written where it differs: it holds for all that is in it. */
function frame(...wanted) {
  if (framed === wanted.join()) return;
  framed = wanted.join();
  list.dataset.kind = wanted[0];
  for (const [at, name] of ["--wide", "--high", "--cell"].entries()) list.style.setProperty(name, `${wanted[at + 1]}px`);
}

/** One row where it stands; what it says already is not written again. */
function put(row, item, number, [x, y], wide) {
  if (row.item !== item) {
    row.said = "";
    row.parts.picture.removeAttribute("src"); // of the one that stood here before
  }
  if (row.item !== item || row.wide !== wide || row.apart !== apart) {
    Object.assign(row, { item, wide, apart });
    for (const [at, words] of inTwo(item.name, wide).entries()) write(row.parts.title.children[at], { textContent: words });
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
  rows.get(next.id)?.parts.button.focus({ preventScroll: true });
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

function makeRow() {
  const row = document.createElement("li");
  row.innerHTML = `<button type="button" class="item"><span class="thumb"><img alt="" decoding="async" hidden></span>
    <span class="words"><span class="title"><span class="head"></span><span class="tail"></span></span><span class="state"></span></span><span class="number"></span></button>`;
  const [button, picture, title, words, number] = ["button", "img", ".title", ".state", ".number"].map((part) => row.querySelector(part));
  row.parts = { button, picture, title, line: words, number };
  button.addEventListener("click", () => change({ selected: row.item, hovered: null, view: "one" }));
  list.append(row);
  return row;
}

function fill(row, item) {
  const { button, line, number, picture } = row.parts;
  const decision = item.status === "failed" ? "failed" : decisionOf(item);
  const changed = changeOf(item);
  const said = saidOf(item);
  let words = say(decision === "failed" ? (item.retry ? "not looked at" : "could not be read") : decision ?? WAITING[item.status]);
  if (changed) words = `${say(changed)} → ${words}`;
  if (said) words += `, ${say(SAID[said])}`;
  const score = item.status === "done" ? shown(item.row.score) : "";
  const url = flying ? "" : (kind() === "grid" ? item.heatThumb : item.thumb) ?? "";
  const all = [words, score, decision, item === state.selected, url, flying].join("\n");
  if (row.said === all) return;
  row.said = all;
  write(line, { textContent: words, "data-decision": decision ?? "" });
  write(number, { textContent: score });
  write(button, { "aria-current": String(item === state.selected), "data-decision": decision ?? "" });
  if (!flying) write(button, { title: item.name, "aria-label": `${item.name} ${words} ${score}`.trim() });
  if (url) write(picture, { src: url });
  write(picture, { hidden: !url });
}
