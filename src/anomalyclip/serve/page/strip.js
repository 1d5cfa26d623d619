// All scores on one line (see `scale.js`): dots for images, ticks for the normal images of a profile, a mark for the threshold.
import { decimal } from "./language.js";
import { TICKS, positionOf, words } from "./scale.js";
import { change, decisionOf, state } from "./state.js";

const SVG = "http://www.w3.org/2000/svg";
const INSET = 8; // pixels, half a slider's thumb: dots stand above their value on the slider
const [MIDDLE, BOTTOM] = [14, 28];

let width = 400; // of the line in pixels, as it was observed: asking for it while drawing would lay the page out twice
let frame = ""; // what the axis and the good pictures' ticks were drawn for
const shares = new WeakMap(); // row -> position of its score on the line, 0 to 1
let dots = new Map(); // "place item score" -> circle: one a pixel and decision, for thousands lie on one another

export function setUpStrip(svg) {
  new ResizeObserver(([{ contentRect }]) => {
    if (!contentRect.width || contentRect.width === width) return;
    width = contentRect.width;
    change();
  }).observe(svg);
}

/** Draw the line: the axis where it is another, dots that came or went, the mark. */
export function drawStrip(svg) {
  const along = (share) => INSET + share * (width - 2 * INSET);
  const at = (score) => along(positionOf(score));
  const scores = state.profile?.scores ?? [];
  const wanted = `${width} ${document.documentElement.lang} ${state.profile?.name} ${state.profile?.revision} ${scores.length}`;
  if (frame !== wanted) {
    frame = wanted;
    dots = new Map();
    const ticks = scores.map((score) => line(at(score), at(score), BOTTOM - 6, BOTTOM, "normal"));
    const mark = line(0, 0, 0, BOTTOM, "mark");
    svg.replaceChildren(line(at(0), at(1), BOTTOM, BOTTOM), ...TICKS.map((score) => label(at(score), score)), ...ticks, mark);
  }
  const mark = svg.lastElementChild;
  const x = String(at(state.threshold));
  if (mark.getAttribute("x1") !== x) for (const end of ["x1", "x2"]) mark.setAttribute(end, x);
  drawDots(along, mark);
}

/** Position of a row's score, reckoned once: thousands are drawn anew at every step of a slider. */
function shareOf(row) {
  if (!shares.has(row)) shares.set(row, positionOf(row.score));
  return shares.get(row);
}

function drawDots(at, mark) {
  const taken = new Set();
  const standing = new Map();
  const show = (item, selected) => {
    const x = at(shareOf(item.row));
    const place = 2 * Math.round(x) + (decisionOf(item) === "normal" ? 0 : 1); // a pixel and a decision
    if (taken.has(place) && !selected) return;
    taken.add(place);
    const key = `${selected ? "selected" : ""} ${place} ${item.id} ${item.row.score}`;
    standing.set(key, dots.get(key) ?? dot(item, x, selected));
  };
  for (const item of state.items) if (item.status === "done" && item !== state.selected) show(item, false);
  const selected = state.selected?.status === "done" && state.items.includes(state.selected);
  if (selected) show(state.selected, true);
  for (const [key, circle] of dots) if (!standing.has(key)) circle.remove();
  for (const [key, circle] of standing) if (!dots.has(key)) mark.before(circle);
  const top = selected && [...standing.values()].at(-1);
  if (top && mark.previousSibling !== top) mark.before(top); // over all others
  dots = standing;
}

function dot(item, x, selected) {
  const circle = make("circle", { cx: x, cy: MIDDLE, r: selected ? 7 : 5, "data-decision": decisionOf(item) });
  if (selected) circle.setAttribute("data-selected", "");
  const title = document.createElementNS(SVG, "title");
  title.textContent = `${item.name}: ${words(item.row.score)}`;
  circle.append(title);
  return circle;
}

function label(x, score) {
  const text = make("text", { x, y: BOTTOM + 13 });
  text.textContent = decimal(`${score}`);
  return text;
}

const line = (x1, x2, y1, y2, kind = "") => make("line", { x1, x2, y1, y2, class: kind });

function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
