// Anomaly maps in the page: reading the server's float16 TIFF, looking values up, finding regions.

/** Values of all 65,536 half floats, so that reading a map is a table look-up. */
const HALVES = new Float32Array(65536);
for (let bits = 0; bits < 65536; bits++) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 31 ? (fraction ? NaN : Infinity)
    : exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024);
  HALVES[bits] = bits >> 15 ? -size : size;
}

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** The file of `maps=tiff16` (little-endian, one uncompressed strip) -> {width, height, values: Float32Array}. */
export function readMap({ data }) {
  const view = new DataView(bytesOf(data).buffer);
  const start = view.getUint32(4, true);
  const tags = new Map();
  for (let i = 0; i < view.getUint16(start, true); i++) {
    const entry = start + 2 + 12 * i;
    const short = view.getUint16(entry + 2, true) === 3;
    tags.set(view.getUint16(entry, true), short ? view.getUint16(entry + 8, true) : view.getUint32(entry + 8, true));
  }
  const [width, height, offset] = [tags.get(256), tags.get(257), tags.get(273)];
  const values = new Float32Array(width * height);
  for (let i = 0; i < values.length; i++) values[i] = HALVES[view.getUint16(offset + 2 * i, true)];
  return { width, height, values };
}

/**
 * Regions of values >= threshold, 8-connected, strongest first, as `anomalyclip.detect.find_regions` gives them.
 * Boxes and areas are in pixels of the image, whose size may be larger than the map's.
 */
export function findRegions(map, threshold, image) {
  const { width, height, values } = map;
  const seen = new Uint8Array(values.length);
  const scale = { x: image.width / width, y: image.height / height };
  const regions = [];
  for (let seed = 0; seed < values.length; seed++) {
    if (!seen[seed] && values[seed] >= threshold) regions.push(grow(map, seed, threshold, seen, scale));
  }
  return regions.sort((a, b) => b.peak - a.peak || a.box[1] - b.box[1] || a.box[0] - b.box[0]);
}

function grow({ width, height, values }, seed, threshold, seen, scale) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  let [area, sum, best] = [0, 0, seed];
  const stack = [seed];
  seen[seed] = 1;
  while (stack.length) {
    const at = stack.pop();
    const x = at % width;
    const y = (at - x) / width;
    area++;
    sum += values[at];
    if (values[at] > values[best] || (values[at] === values[best] && at < best)) best = at;
    left = Math.min(left, x); right = Math.max(right, x);
    top = Math.min(top, y); bottom = Math.max(bottom, y);
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        const next = v * width + u;
        if (!seen[next] && values[next] >= threshold) {
          seen[next] = 1;
          stack.push(next);
        }
      }
    }
  }
  const [x0, y0] = [Math.floor(left * scale.x), Math.floor(top * scale.y)];
  const [x1, y1] = [Math.ceil((right + 1) * scale.x), Math.ceil((bottom + 1) * scale.y)];
  return {
    box: [x0, y0, x1 - x0, y1 - y0],
    area: Math.round(area * scale.x * scale.y),
    peak: values[best],
    peak_xy: [Math.floor((best % width + 0.5) * scale.x), Math.floor((Math.floor(best / width) + 0.5) * scale.y)],
    mean: sum / area,
  };
}
