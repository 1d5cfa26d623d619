// Under zoom, the part that is seen at the picture's own pixels: the file is read by the browser, else its part is asked for.
import * as api from "./api.js";
import { drawFindings } from "./picture.js";
import { state } from "./state.js";
import { write } from "./write.js";
import { onZoom } from "./zoom.js";

const WAIT = 120; // milliseconds of rest before a part is asked for
let whole = null; // {item, picture: ImageBitmap, null where the browser cannot read the file, undefined until it is read; part}
let turn = 0;
let redraw = () => null;

/** panes: [{canvas, tile, heat}]; the tiles lie over the canvases. Gives what draws them. */
export function setUpTiles(panes) {
  redraw = () => drawTiles(panes);
  onZoom(redraw);
  return redraw;
}

function drawTiles(panes) {
  const item = state.selected;
  const needed = item?.status === "done" && item.map && state.zoom.scale > 1 && item.row.width > item.preview.width;
  if (whole && (whole.item !== item || !needed)) close();
  if (needed && !whole) read(item);
  for (const { canvas, tile, heat } of panes) {
    const seen = needed ? visible(canvas, item.row) : null;
    const part = seen && partOf(seen, 2 * Math.max(canvas.parentElement.clientWidth, canvas.parentElement.clientHeight));
    write(tile, { hidden: !part });
    if (part) paint(item, canvas, tile, heat, seen, part);
  }
}

async function read(item) {
  const mine = (whole = { item, picture: undefined, part: null });
  const picture = await createImageBitmap(item.file).catch(() => null);
  const fits = picture?.width === item.row.width && picture?.height === item.row.height;
  if (whole !== mine || !fits) picture?.close();
  if (whole !== mine) return;
  mine.picture = fits ? picture : null;
  redraw();
}

/** A picture, which part of it to take, and what of the whole that shows; null while it is on its way. */
function partOf(seen, side) {
  const { x, y, width, height } = seen;
  if (whole.picture === undefined) return null;
  if (whole.picture) return { picture: whole.picture, from: [x, y, width, height], x, y, width, height };
  const box = [x, y, width, height].join();
  if (whole.box !== box) ask(box, seen, side);
  return whole.part;
}

async function ask(box, { x, y, width, height }, side) {
  const mine = whole;
  const own = ++turn;
  mine.box = box;
  await new Promise((resolve) => setTimeout(resolve, WAIT));
  if (own !== turn || whole !== mine) return;
  const blob = await api.part(mine.item.file, box, Math.min(side, 2048), mine.item.row.frame, state.profile?.name).catch(() => null);
  const picture = blob && (await createImageBitmap(blob));
  if (own !== turn || whole !== mine || !picture) return picture?.close();
  mine.part?.picture.close();
  mine.part = { picture, from: [0, 0, picture.width, picture.height], x, y, width, height };
  redraw();
}

/** The part of the picture in a pane: x, y, width, height in its own pixels, and where it lies on the screen. */
function visible(canvas, { width, height }) {
  const lens = canvas.parentElement.getBoundingClientRect();
  const box = canvas.getBoundingClientRect();
  if (!lens.width || !box.width) return null;
  const scale = Math.min(box.width / width, box.height / height); // object-fit: contain
  const [left, top] = [box.left + (box.width - width * scale) / 2, box.top + (box.height - height * scale) / 2];
  const x = Math.max(0, Math.floor((lens.left - left) / scale));
  const y = Math.max(0, Math.floor((lens.top - top) / scale));
  const right = Math.min(width, Math.ceil((lens.right - left) / scale));
  const bottom = Math.min(height, Math.ceil((lens.bottom - top) / scale));
  return right > x && bottom > y ? { x, y, width: right - x, height: bottom - y, left: left - lens.left, top: top - lens.top, scale } : null;
}

function paint(item, canvas, tile, heat, seen, part) {
  const lens = canvas.parentElement;
  const dots = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(lens.clientWidth * dots), Math.round(lens.clientHeight * dots)];
  if (tile.width !== width || tile.height !== height) Object.assign(tile, { width, height });
  const context = tile.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  const at = (x, y) => [dots * (seen.left + x * seen.scale), dots * (seen.top + y * seen.scale)];
  const [left, top] = at(part.x, part.y);
  context.imageSmoothingEnabled = seen.scale * dots < 1;
  if (heat && state.mode === "map") {
    context.fillStyle = "rgb(0, 0, 4)";
    context.fillRect(left, top, dots * part.width * seen.scale, dots * part.height * seen.scale);
  } else {
    context.drawImage(part.picture, part.from[0], part.from[1], part.from[2], part.from[3], left, top, dots * part.width * seen.scale, dots * part.height * seen.scale);
  }
  if (heat) {
    const [x, y] = at(0, 0);
    context.setTransform(1, 0, 0, 1, x, y);
    context.imageSmoothingEnabled = true;
    drawFindings(item, context, dots * item.row.width * seen.scale, dots * item.row.height * seen.scale);
  }
  tile.dataset.pixels = `${part.width} ${part.height}`;
}

function close() {
  whole?.picture?.close();
  whole?.part?.picture.close();
  whole = null;
}
