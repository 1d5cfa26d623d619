// A region's suspicious patch and the good patch that it was compared with, beside each other.
import * as api from "./api.js";
import { decimal, say } from "./language.js";
import { change, onChange, regionsOf, state } from "./state.js";
import { write } from "./write.js";

const PATCHES = 5; // sides of a patch that a pane shows
const $ = (id) => document.getElementById(id);
const pictures = new Map(); // "profile number" -> promise of the good picture
let painted = []; // what both patches show

export function setUpBeside(report) {
  onChange(() => draw().catch((error) => report(() => error.message)));
  $("beside-close").addEventListener("click", () => change({ beside: null }));
}

/** Show what a region was compared with; what the page finds is matched to what the server told. */
export function showBeside(item, region) {
  change({ beside: { item, region } });
}

/** The region of an item that holds a pixel, the strongest first. */
export function regionAt(item, { x, y }) {
  return regionsOf(item).find(({ box: [left, top, width, height] }) => x >= left && y >= top && x < left + width && y < top + height);
}

function nearestOf(item, region) {
  const [x, y] = region.peak_xy;
  const told = (item.row.regions ?? []).filter((one) => one.nearest);
  const away = (one) => Math.hypot(one.peak_xy[0] - x, one.peak_xy[1] - y);
  return told.sort((a, b) => away(a) - away(b))[0]?.nearest ?? null;
}

async function draw() {
  const shown = state.beside;
  const fits = shown !== null && shown.item === state.selected && shown.item.status === "done" && Boolean(shown.item.map);
  write($("beside"), { hidden: !fits });
  if (!fits) return;
  const { item, region } = shown;
  const nearest = nearestOf(item, region); // of the row as it is now: another memory may have judged since the click
  write($("beside-panes"), { hidden: nearest === null });
  if (nearest === null) {
    const textContent = say(state.judge
      ? "The server told no good patch for this region: lower the region threshold of the profile, or look again."
      : "Calibrate, or choose a profile with a memory, to see the good patch that a region is compared with.");
    return write($("beside-words"), { textContent });
  }
  const textContent = say("The nearest good patch lies in {picture}; distance {distance} (0 is the same, 2 the opposite).", {
    picture: nearest.picture, distance: decimal(nearest.distance.toFixed(3)),
  });
  write($("beside-words"), { textContent });
  const shows = [nearest, item.preview];
  if (shows.every((one, at) => one === painted[at])) return;
  painted = shows;
  paint($("beside-own"), item.preview, [item.row.width, item.row.height], nearest.patch, "rgb(255 140 60)");
  const good = await goodPicture(item.judge, nearest.number);
  if (painted === shows) paint($("beside-good"), good, nearest.size, nearest.box, "rgb(90 200 160)");
}

function goodPicture(profile, number) {
  const key = `${profile} ${state.judgeMade} ${number}`;
  if (!pictures.has(key)) {
    const coming = api.goodPicture(profile, number).then((blob) => createImageBitmap(blob));
    coming.catch(() => pictures.delete(key)); // asked for again at the next click
    pictures.set(key, coming);
  }
  return pictures.get(key);
}

/** The surroundings of a box, given in pixels of a picture of `size`, and a frame around it. */
function paint(canvas, picture, [width, height], [x, y, w, h], colour) {
  const side = Math.min(PATCHES * Math.max(w, h), Math.max(width, height));
  const left = Math.max(0, Math.min(width - side, x + w / 2 - side / 2));
  const top = Math.max(0, Math.min(height - side, y + h / 2 - side / 2));
  const [sx, sy] = [picture.width / width, picture.height / height];
  const scale = canvas.width / side;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = true;
  context.drawImage(picture, left * sx, top * sy, side * sx, side * sy, 0, 0, canvas.width, canvas.height);
  for (const [ink, thick] of [["rgb(20 20 20 / 80%)", 5], [colour, 2.5]]) {
    context.strokeStyle = ink;
    context.lineWidth = thick;
    context.strokeRect((x - left) * scale, (y - top) * scale, w * scale, h * scale);
  }
}
