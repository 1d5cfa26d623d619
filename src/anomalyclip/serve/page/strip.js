// All scores on one line (see `scale.js`): dots for images, ticks for the normal images of a profile, a mark for the threshold.
import { TICKS, positionOf, words } from "./scale.js";
import { decisionOf, state } from "./state.js";

const SVG = "http://www.w3.org/2000/svg";
const INSET = 8; // pixels, half a slider's thumb: dots stand above their value on the slider
const [MIDDLE, BOTTOM] = [14, 28];

export function drawStrip(svg) {
  const width = svg.clientWidth || 400;
  const at = (score) => INSET + positionOf(score) * (width - 2 * INSET);
  const parts = [line(at(0), at(1), BOTTOM, BOTTOM), ...TICKS.map((score) => label(at(score), score))];
  for (const score of state.profile?.scores ?? []) parts.push(line(at(score), at(score), BOTTOM - 6, BOTTOM, "normal"));
  const done = state.items.filter((item) => item.status === "done");
  const selectedLast = [...done].sort((a, b) => (a === state.selected) - (b === state.selected));
  const taken = new Set(); // one dot a pixel and decision: thousands lie on one another
  for (const item of selectedLast) {
    const x = at(item.row.score);
    const place = `${Math.round(x)} ${decisionOf(item)}`;
    if (taken.has(place) && item !== state.selected) continue;
    taken.add(place);
    parts.push(dot(item, x));
  }
  parts.push(line(at(state.threshold), at(state.threshold), 0, BOTTOM, "mark"));
  svg.replaceChildren(...parts);
}

function dot(item, x) {
  const selected = item === state.selected;
  const circle = make("circle", { cx: x, cy: MIDDLE, r: selected ? 7 : 5, "data-decision": decisionOf(item) });
  if (selected) circle.setAttribute("data-selected", "");
  const title = document.createElementNS(SVG, "title");
  title.textContent = `${item.name}: ${words(item.row.score)}`;
  circle.append(title);
  return circle;
}

function label(x, score) {
  const text = make("text", { x, y: BOTTOM + 13 });
  text.textContent = score;
  return text;
}

const line = (x1, x2, y1, y2, kind = "") => make("line", { x1, x2, y1, y2, class: kind });

function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
