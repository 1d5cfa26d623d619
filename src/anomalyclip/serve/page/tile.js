// Under zoom, the part that is seen at the picture's own pixels: the file is read by the browser, else its part is asked for.
import * as api from "./api.js";
import { drawFindings } from "./picture.js";
import { state } from "./state.js";
import { onZoom } from "./zoom.js";

const WAIT = 120; // milliseconds of rest before a part is asked for
let whole = null; // {item, picture: ImageBitmap or null where the browser cannot read the file}
let asked = 0;

/** panes: [{canvas, tile, heat}]; the tiles lie over the canvases. */
export function setUpTiles(panes) {
  const draw = () => drawTiles(panes);
  onZoom(draw);
  return draw;
}

function drawTiles(panes) {
  const item = state.selected;
  const needed = item?.status === "done" && item.map && state.zoom.scale > 1 && item.row.width > item.preview.width;
  for (const { tile } of panes) tile.hidden = !needed;
  if (!needed) {
    if (whole && whole.item !== item) close();
    return;
  }
  for (const { canvas, tile, heat } of panes) {
    const seen = visible(canvas, item.row);
    if (seen) paint(item, canvas, tile, heat, seen).catch(() => (tile.hidden = true));
  }
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

async function paint(item, canvas, tile, heat, seen) {
  const lens = canvas.parentElement;
  const dots = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(lens.clientWidth * dots), Math.round(lens.clientHeight * dots)];
  const part = await partOf(item, seen, Math.max(width, height));
  if (part === null || item !== state.selected) return;
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

/** A picture and which part of it shows x, y, width, height; null while it is on its way. */
async function partOf(item, { x, y, width, height }, side) {
  if (whole?.item !== item) {
    close();
    const mine = (whole = { item, picture: undefined });
    const read = await createImageBitmap(item.file).catch(() => null);
    if (whole !== mine) return null;
    mine.picture = read && read.width === item.row.width && read.height === item.row.height ? read : null;
  }
  if (whole.picture === undefined) return null;
  if (whole.picture) return { picture: whole.picture, from: [x, y, width, height], x, y, width, height };
  const turn = ++asked;
  const box = [x, y, width, height].join();
  if (whole.box !== box) {
    await new Promise((resolve) => setTimeout(resolve, WAIT));
    if (turn !== asked) return null;
    Object.assign(whole, { box, part: api.part(item.file, box, Math.min(side, 2048), item.row.frame, state.profile?.name).then(createImageBitmap) });
  }
  const picture = await whole.part;
  return { picture, from: [0, 0, picture.width, picture.height], x, y, width, height };
}

function close() {
  whole?.picture?.close();
  whole = null;
}
