// Downloads: rows with the decisions and regions that the page shows, and the picture on the screen.
import { decisionOf, pValueOf, regionsOf, state } from "./state.js";
import { drawHeat } from "./picture.js";

const settled = (item) => item.status === "done" || item.status === "failed";

/** How many pictures are not in a saved file: still to be looked at, or being looked at again by another memory. */
export const unsettled = () => state.items.filter((item) => !settled(item)).length;

/** Rows with the keys of `results.jsonl`; thresholds are the page's. A score that is being made anew is no row yet. */
export function rowsNow() {
  return state.items.filter((item) => item.row && settled(item)).map((item) => {
    const { map, preview, ...row } = item.row;
    const settings = {
      ...row.settings, threshold: state.threshold, pixel_threshold: state.pixelThreshold, profile: state.profile?.name ?? null,
    };
    return { ...row, p_value: pValueOf(item), decision: decisionOf(item), regions: regionsOf(item), settings };
  });
}

export function saveJsonl() {
  save(rowsNow().map((row) => JSON.stringify(row) + "\n").join(""), "application/jsonl", "results.jsonl");
}

export function saveCsv() {
  const rows = rowsNow();
  const columns = Object.keys(rows[0] ?? {});
  const lines = [columns, ...rows.map((row) => columns.map((name) => cell(row[name])))];
  save(lines.map((cells) => cells.map(quoted).join(",") + "\n").join(""), "text/csv", "results.csv");
}

export function savePng(item) {
  const canvas = Object.assign(document.createElement("canvas"), { width: item.preview.width, height: item.preview.height });
  drawHeat(item, canvas);
  canvas.toBlob((blob) => offer(URL.createObjectURL(blob), `${plainName(item.name)}-heat.png`));
}

export function saveProfile(file, name) {
  save(JSON.stringify(file, null, 1) + "\n", "application/json", `${plainName(name)}.json`);
}

const plainName = (name) => name.replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}._-]+/gu, "_") || "image";

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return JSON.stringify(value);
  // A text that a spreadsheet would run as a formula gets an apostrophe.
  return typeof value === "string" && /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : String(value);
}

const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

const save = (text, type, name) => offer(URL.createObjectURL(new Blob([text], { type })), name);

function offer(url, name) {
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
