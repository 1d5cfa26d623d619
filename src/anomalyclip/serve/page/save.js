// Downloads: rows with the decisions and regions that the page shows, flat, as JSON lines, as COCO; pictures; profiles.
import * as api from "./api.js";
import { Problem, count, number, say } from "./language.js";
import { fetched } from "./looking.js";
import { drawHeat, heatThumb } from "./picture.js";
import { decisionOf, ordered, pValueOf, regionsOf, state } from "./state.js";
import { zip } from "./zip.js";

const settled = (item) => item.status === "done" || item.status === "failed";

/** How many pictures are not in a saved file: still to be looked at, or being looked at again by another memory. */
export const unsettled = () => state.items.filter((item) => !settled(item)).length;

const rowItems = () => state.items.filter((item) => item.row && settled(item));

/**
 * Rows with the keys of `results.jsonl`; thresholds are the page's. A score that is being made anew is no row yet.
 * Regions of pictures whose maps were let go are those of the threshold that their own settings name.
 */
const rowOf = (item) => {
  const { map, preview, digest, ...row } = item.row;
  const pixel = item.map || item.status === "failed" ? state.pixelThreshold : row.settings.pixel_threshold;
  const settings = { ...row.settings, threshold: state.threshold, pixel_threshold: pixel, profile: state.profile?.name ?? null };
  return { ...row, p_value: pValueOf(item), decision: decisionOf(item), regions: regionsOf(item), settings };
};

export function saveJsonl() {
  save(rowItems().map((item) => JSON.stringify(rowOf(item)) + "\n").join(""), "application/jsonl", "results.jsonl");
}

const strongest = (get) => ({ regions }) => (regions?.length ? get(regions[0]) : null);

/** column -> its value from a row: those of `results.csv` as `detect` writes it. A test compares them. */
const COLUMNS = {
  ...Object.fromEntries(["path", "width", "height", "score", "p_value", "decision"].map((key) => [key, (row) => row[key]])),
  regions: ({ score, regions }) => (score === null ? null : regions.length),
  region_peak: strongest((region) => region.peak),
  region_area: strongest((region) => region.area),
  region_x: strongest((region) => region.box[0]),
  region_y: strongest((region) => region.box[1]),
  region_width: strongest((region) => region.box[2]),
  region_height: strongest((region) => region.box[3]),
  views: ({ geometry }) => geometry?.views,
  inside: ({ geometry }) => geometry?.inside,
  notes: ({ notes }) => (notes ?? []).join("; ") || null,
  error: (row) => row.error,
  frame: (row) => row.frame,
};

export function saveCsv() {
  const lines = [Object.keys(COLUMNS), ...rowItems().map(rowOf).map((row) => Object.values(COLUMNS).map((get) => cell(get(row))))];
  save(lines.map((cells) => cells.map(quoted).join(",") + "\n").join(""), "text/csv", "results.csv");
}

export function saveCoco() {
  const [images, annotations] = [[], []];
  for (const row of rowItems().map(rowOf)) {
    if (row.score === null) continue;
    const id = images.push({ id: images.length + 1, file_name: row.path, width: row.width, height: row.height, score: row.score });
    for (const { box, area, peak } of row.regions) {
      annotations.push({ id: annotations.length + 1, image_id: id, category_id: 1, bbox: box, area, iscrowd: 0, segmentation: [], score: peak });
    }
  }
  const info = { description: `regions from ${state.pixelThreshold} on` };
  save(JSON.stringify({ info, categories: [{ id: 1, name: "anomaly" }], images, annotations }) + "\n", "application/json", "findings.coco.json");
}

export async function savePng(item) {
  const { name, blob } = await overlay(item);
  offer(URL.createObjectURL(blob), name);
}

/** Pictures under their heat maps, of all that the list shows; told(done, all) as they are drawn. */
export async function saveZip(told) {
  const items = ordered().filter((item) => item.status === "done");
  const files = new Map();
  for (const item of items) {
    const { name, blob } = await overlay(item);
    let own = name;
    for (let copy = 2; files.has(own); copy++) own = name.replace(/(-heat\.png)$/, `-${copy}$1`);
    files.set(own, blob);
    told(files.size, items.length);
  }
  const archive = await zip([...files].map(([name, blob]) => ({ name, blob })));
  if (archive === null) throw new Problem(() => say("So many overlays are more than a ZIP holds: show fewer of the list, or use anomalyclip detect --output."));
  offer(URL.createObjectURL(archive), "overlays.zip");
}

async function overlay(item) {
  await fetched(item);
  const canvas = Object.assign(document.createElement("canvas"), { width: item.preview.width, height: item.preview.height });
  drawHeat(item, canvas);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve));
  return { name: `${plainName(item.name)}-heat.png`, blob };
}

const REPORT_BYTES = 40e6; // of small pictures, as the server takes no request of any size

/** `report.html` as `detect` writes it, made by the server of rows and small pictures: the highest scores have theirs. */
export async function saveReport() {
  let bytes = 0;
  const highest = rowItems().filter((item) => item.row.score !== null).sort((a, b) => b.row.score - a.row.score);
  const size = (item) => (4 / 3) * (item.small[0].size + item.small[1].size);
  const drawn = new Set(highest.filter((item) => (bytes += size(item)) < REPORT_BYTES));
  const rows = await Promise.all(rowItems().map(async (item) => {
    const { path, width, height, score, p_value, decision, regions, notes, error, frame } = rowOf(item);
    const heatOf = async () => (item.map ? heatThumb(item, true) : item.small[1]); // outlines where the map is held
    const [image, heat] = !drawn.has(item) ? [null, null] : await Promise.all([item.small[0], await heatOf()].map(dataOf));
    const kept = regions.slice(0, 50).map(({ box, area, peak, peak_xy, mean }) => ({ box, area, peak, peak_xy, mean }));
    return { path, width, height, score, p_value, decision, regions: kept, notes, error, frame, image, heat };
  }));
  const blob = await api.reportOf({ threshold: state.threshold, pixel_threshold: state.pixelThreshold, profile: state.profile?.name ?? null, rows });
  offer(URL.createObjectURL(blob), "report.html");
  return drawn.size < highest.length
    ? () => say("The report shows pictures of the {n} highest scores; it has rows of all.", { n: number(drawn.size) })
    : null;
}

function dataOf(blob) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(blob);
  });
}

export function saveProfile(file, name) {
  save(JSON.stringify(file, null, 1) + "\n", "application/json", `${plainName(name)}.json`);
}

/** What tells that a file lacks pictures, null where it lacks none. */
export function lacking() {
  const left = unsettled();
  if (!left) return null;
  return () => count(left, "1 picture is still being looked at and not in the file.", "{n} pictures are still being looked at and not in the file.");
}

const plainName = (name) => name.replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}._-]+/gu, "_") || "image";

function cell(value) {
  if (value === null || value === undefined) return "";
  // A text that a spreadsheet would run as a formula gets an apostrophe.
  return typeof value === "string" && /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : String(value);
}

const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export const save = (text, type, name) => offer(URL.createObjectURL(new Blob([text], { type })), name);

function offer(url, name) {
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
