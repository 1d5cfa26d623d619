// The two canvases: the image, and the image under its heat map with outlines and the box of a region.
import { COLOURS } from "./colours.js";
import { state } from "./state.js";

const THUMB = 240; // longest side of small pictures
const heatLayers = new WeakMap(); // map -> canvas of its colours, opacity equal to the value

/** Draw both panes of an item. */
export function drawPanes(item, original, heat) {
  const { width, height } = item.preview;
  for (const canvas of [original, heat]) if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  original.getContext("2d").drawImage(item.preview, 0, 0);
  drawHeat(item, heat);
}

/** The image under its heat map, as it is shown and saved. */
export function drawHeat(item, canvas) {
  const { width, height } = item.preview;
  const context = canvas.getContext("2d");
  context.globalAlpha = 1;
  if (state.mode === "map") {
    context.fillStyle = "rgb(0, 0, 4)"; // the scale's zero
    context.fillRect(0, 0, width, height);
  } else {
    context.drawImage(item.preview, 0, 0);
    context.globalAlpha = state.opacity;
  }
  context.imageSmoothingEnabled = true;
  context.drawImage(layerOf(item.map, state.mode === "map"), 0, 0, width, height);
  context.globalAlpha = 1;
  outline(item, context, width, height);
  if (state.hovered) frame(item, state.hovered, context, width, height);
}

/** Small JPEGs of a picture, and of it under its heat map, as blobs. */
export const thumb = (item) => small(item, (canvas, width, height) => canvas.getContext("2d").drawImage(item.preview, 0, 0, width, height));

/** outlined: with the outlines of its regions at the threshold as it stands. */
export function heatThumb(item, outlined = false) {
  return small(item, (canvas, width, height) => {
    const context = canvas.getContext("2d");
    context.drawImage(item.preview, 0, 0, width, height);
    context.globalAlpha = 0.75;
    context.drawImage(layerOf(item.map, false), 0, 0, width, height);
    context.globalAlpha = 1;
    if (outlined) outline(item, context, width, height);
  });
}

function small({ preview }, draw) {
  const scale = Math.min(1, THUMB / Math.max(preview.width, preview.height));
  const [width, height] = [preview.width, preview.height].map((side) => Math.max(1, Math.round(scale * side)));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  draw(canvas, width, height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
}

/** Colours, outlines and the frame of a region, over whatever the context shows. */
export function drawFindings(item, context, width, height) {
  context.globalAlpha = state.opacity;
  context.drawImage(layerOf(item.map, state.mode === "map"), 0, 0, width, height);
  context.globalAlpha = 1;
  outline(item, context, width, height);
  if (state.hovered) frame(item, state.hovered, context, width, height);
}

function layerOf(map, solid) {
  if (!heatLayers.has(map)) heatLayers.set(map, {});
  const layers = heatLayers.get(map);
  return (layers[solid] ??= paint(map, solid));
}

function paint({ width, height, values }, solid) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < values.length; i++) {
    const level = Math.round(255 * Math.min(1, Math.max(0, values[i])));
    image.data[4 * i] = COLOURS[3 * level];
    image.data[4 * i + 1] = COLOURS[3 * level + 1];
    image.data[4 * i + 2] = COLOURS[3 * level + 2];
    image.data[4 * i + 3] = solid ? 255 : level;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** White with a dark seam is seen on any material. */
function outline(item, context, width, height) {
  const path = bordersOf(item);
  const scale = width / item.map.width;
  const unit = Math.max(1, Math.max(width, height) / 500);
  context.save();
  context.scale(scale, height / item.map.height);
  for (const [colour, thick] of [["rgb(20 20 20 / 75%)", 3], ["rgb(255 255 255 / 95%)", 1.2]]) {
    context.strokeStyle = colour;
    context.lineWidth = (thick * unit) / scale;
    context.stroke(path);
  }
  context.restore();
}

const paths = new WeakMap(); // map -> {threshold, path}

function bordersOf({ map }) {
  const known = paths.get(map);
  if (known?.threshold === state.pixelThreshold) return known.path;
  const path = borders(map, state.pixelThreshold);
  paths.set(map, { threshold: state.pixelThreshold, path });
  return path;
}

/** The border between values below and above, pixel edge by pixel edge, runs joined. */
function borders({ width, height, values }, threshold) {
  const path = new Path2D();
  const above = (x, y) => x >= 0 && y >= 0 && x < width && y < height && values[y * width + x] >= threshold;
  const trace = (lines, cells, differs, segment) => {
    for (let line = 0; line <= lines; line++) {
      let start = -1;
      for (let cell = 0; cell <= cells; cell++) {
        const edge = cell < cells && differs(line, cell);
        if (edge && start < 0) start = cell;
        if (!edge && start >= 0) {
          segment(line, start, cell);
          start = -1;
        }
      }
    }
  };
  trace(height, width, (y, x) => above(x, y - 1) !== above(x, y), (y, x0, x1) => { path.moveTo(x0, y); path.lineTo(x1, y); });
  trace(width, height, (x, y) => above(x - 1, y) !== above(x, y), (x, y0, y1) => { path.moveTo(x, y0); path.lineTo(x, y1); });
  return path;
}

function frame(item, region, context, width, height) {
  const [x, y, w, h] = region.box;
  const [sx, sy] = [width / item.row.width, height / item.row.height];
  const unit = Math.max(1, Math.max(width, height) / 300);
  for (const [colour, thick] of [["rgb(20 20 20 / 80%)", 3], ["rgb(120 220 255)", 1.4]]) {
    context.strokeStyle = colour;
    context.lineWidth = thick * unit;
    context.strokeRect(x * sx - unit, y * sy - unit, w * sx + 2 * unit, h * sy + 2 * unit);
  }
}

/** Pixel of the image and map value under a pointer; null beside the picture. */
export function valueAt(item, canvas, event) {
  const box = canvas.getBoundingClientRect();
  const scale = Math.min(box.width / canvas.width, box.height / canvas.height); // object-fit: contain
  const u = ((event.clientX - box.left) - (box.width - canvas.width * scale) / 2) / (canvas.width * scale);
  const v = ((event.clientY - box.top) - (box.height - canvas.height * scale) / 2) / (canvas.height * scale);
  if (u < 0 || v < 0 || u >= 1 || v >= 1) return null;
  const { width, height, values } = item.map;
  return {
    x: Math.floor(u * item.row.width),
    y: Math.floor(v * item.row.height),
    value: values[Math.floor(v * height) * width + Math.floor(u * width)],
  };
}
