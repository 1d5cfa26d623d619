// Names too long for their place are cut so that what tells each from the one most like it stays to be read.
const ENDING = 4; // letters of the end that stay
const AFTER = 2; // letters that stay after the first that differs
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/; // a name that runs to the left is not torn
let pen = null;
let alike = new Map(); // name -> letters that it has in common with another one, from the beginning

/** font: as CSS writes it. */
export function setUpNames(font) {
  pen = document.createElement("canvas").getContext("2d");
  pen.font = font;
}

/** What is to be told apart from now on. */
export function tellApart(names) {
  const sorted = [...new Set(names)].sort();
  alike = new Map(sorted.map((name) => [name, 0]));
  for (let at = 1; at < sorted.length; at++) {
    const [one, other] = [[...sorted[at - 1]], [...sorted[at]]];
    let same = 0;
    while (same < one.length && one[same] === other[same]) same++;
    for (const name of [sorted[at - 1], sorted[at]]) alike.set(name, Math.max(alike.get(name), same));
  }
}

/** A name in two parts for a place of `width` pixels; where there is no room, CSS cuts the end of the first. */
export function inTwo(name, width) {
  const letters = [...name];
  const needed = pen.measureText(name).width;
  if (needed <= width || RIGHT_TO_LEFT.test(name)) return [name, ""];
  const fit = Math.floor((letters.length * width) / needed) - 1;
  const room = Math.ceil((2 * fit) / 3); // of the second part
  const at = letters.length - room;
  const differs = alike.get(name) ?? 0;
  if (differs < fit - room || differs >= at) return [letters.slice(0, at).join(""), letters.slice(at).join("")];
  const to = differs + 1 + AFTER; // in the middle, which neither the beginning nor the end shows
  const from = Math.max(0, Math.min(differs, to - (room - ENDING - 1)));
  return [letters.slice(0, from).join(""), `${letters.slice(from, to).join("")}…${letters.slice(-ENDING).join("")}`];
}
