// The table of regions of the selected image; a click shows what a region was compared with.
import { showBeside } from "./beside.js";
import { decimal, number, say } from "./language.js";
import { words } from "./scale.js";
import { change, regionsOf, state } from "./state.js";
import { write } from "./write.js";

const SHOWN = 50;
const $ = (id) => document.getElementById(id);

export function drawRegions(item) {
  const regions = regionsOf(item);
  const more = regions.length > SHOWN ? say(", the strongest {n} are shown", { n: SHOWN }) : "";
  const counted = say("{n} from {threshold} on", { n: regions.length || say("none"), threshold: words(state.pixelThreshold) });
  write($("regions-count"), { textContent: item.status !== "done" ? "" : counted + more });
  const stamp = `${item.id} ${item.status} ${Boolean(item.map)} ${state.pixelThreshold} ${document.documentElement.lang}`;
  if ($("regions").dataset.stamp === stamp) return; // rebuilding would take the focus away
  $("regions").dataset.stamp = stamp;
  $("regions").replaceChildren(...regions.slice(0, SHOWN).map((region) => rowOf(item, region)));
}

function rowOf(item, region) {
  const [x, y, width, height] = region.box;
  const row = document.createElement("tr");
  const share = (100 * region.area) / (item.row.width * item.row.height);
  const peak = Object.assign(document.createElement("button"), { type: "button", textContent: words(region.peak) });
  peak.setAttribute("aria-label", say("Peak {peak}, show its box and the good patch it was compared with", { peak: words(region.peak) }));
  row.append(document.createElement("td"));
  row.firstChild.append(peak);
  const box = say("{width} × {height} at {x}, {y}", { width, height, x, y });
  for (const text of [`${number(region.area)} px`, decimal(`${share.toFixed(share < 1 ? 2 : 1)}%`), box]) {
    row.append(Object.assign(document.createElement("td"), { textContent: text }));
  }
  row.addEventListener("click", () => showBeside(item, region));
  for (const on of ["pointerenter", "focusin"]) row.addEventListener(on, () => change({ hovered: region }));
  for (const off of ["pointerleave", "focusout"]) row.addEventListener(off, () => change({ hovered: null }));
  return row;
}
