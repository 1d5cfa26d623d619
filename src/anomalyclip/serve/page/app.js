// The page: sends images, shows the selected one, keeps everything on the screen in step with `state`.
import * as api from "./api.js";
import { regionAt, setUpBeside, showBeside } from "./beside.js";
import { setUpCalibration } from "./calibration.js";
import { paintScale } from "./colours.js";
import { takeFiles } from "./drop.js";
import { forget, keep, kept } from "./keep.js";
import { setUpKeys } from "./keys.js";
import { drawList } from "./list.js";
import { bytesOf, readMap } from "./map.js";
import { drawPanes, valueAt } from "./picture.js";
import { saveCsv, saveJsonl, savePng, unsettled } from "./save.js";
import { positionOf, scoreAt, words } from "./scale.js";
import { change, decisionOf, isCurrent, onChange, pValueOf, regionsOf, setPixelThreshold, setThreshold, state } from "./state.js";
import { drawStrip } from "./strip.js";
import { setUpTheme } from "./theme.js";
import { reset, setUpZoom, zoomBy } from "./zoom.js";

const SIDE = 1024; // longest side of maps and previews in the page
const SHOWN_REGIONS = 50;
const AT_ONCE = 3;
const $ = (id) => document.getElementById(id);
let number = 0;
let running = 0;
let begun = { at: 0, done: 0 }; // when the pictures that wait were begun, and how many were done before

function add(files) {
  keep(files).then((left) => left && report(`${left} of them will not outlive a reload: this browser keeps no more.`));
  take(files);
}

function take(files) {
  const items = files.map((file) => ({ id: ++number, file, name: file.name, status: "waiting" }));
  change({ items: [...state.items, ...items], selected: state.selected ?? items[0] ?? null });
  go();
}

function go() {
  if (running === 0) begun = { at: performance.now(), done: finished() };
  while (running < AT_ONCE && next()) work();
}

const finished = () => state.items.filter((item) => item.status === "done" || item.status === "failed").length;
const next = () => state.items.find((item) => item.status === "waiting");

async function work() {
  running++;
  for (let item = next(); item; item = next()) {
    item.status = "running";
    try {
      await look(item);
    } catch (error) {
      // What the server says of a file is its own; all else may be tried again.
      Object.assign(item, { status: "failed", error: error.message, retry: error instanceof api.ServerError });
    }
    change();
  }
  running--;
}

async function look(item) {
  const [judge, judgeMade] = [state.judge, state.judgeMade];
  item.row = await api.detect(item.file, SIDE, judge);
  if (item.row.error !== null) throw new Error(item.row.error);
  item.thumb = item.row.preview;
  item.map = readMap(item.row.map);
  item.preview = await createImageBitmap(new Blob([bytesOf(item.row.preview.split(",")[1])]));
  item.row.map = item.row.preview = null; // kept in better forms
  Object.assign(item, { status: "done", judge, judgeMade, regions: null });
  if (!isCurrent(item)) item.status = "waiting"; // another memory was chosen meanwhile
}

/** Another memory judges: what it has not seen is looked at again. */
function lookAgain() {
  const old = state.items.filter((item) => item.status === "done" && !isCurrent(item));
  if (!old.length) return;
  for (const item of old) item.status = "waiting";
  go();
}

const retriable = () => state.items.filter((item) => item.status === "failed" && item.retry);

function retry() {
  for (const item of retriable()) item.status = "waiting";
  change();
  go();
}

function drawProgress() {
  const [all, done] = [state.items.length, finished()];
  const rate = (done - begun.done) / Math.max(1e-3, (performance.now() - begun.at) / 1000);
  $("progress").hidden = done === all;
  Object.assign($("bar"), { max: all || 1, value: done });
  const left = rate > 0 ? `, ${Math.ceil((all - done) / rate)} s left` : "";
  $("rate-now").textContent = `${done} of ${all}, ${rate.toFixed(1)} per second${left}`;
  const again = retriable().length;
  $("retry").hidden = again === 0;
  $("retry").textContent = again === 1 ? "Retry the one that was not looked at" : `Retry ${again} that were not looked at`;
}

function draw() {
  const item = state.selected;
  document.body.toggleAttribute("data-empty", state.items.length === 0);
  drawList($("list"));
  drawProgress();
  if (!item) return;
  drawVerdict(item);
  drawStage(item);
  drawStrip($("strip"));
  drawSliders();
  drawTally();
  drawRegions(item);
}

function drawVerdict(item) {
  const decision = decisionOf(item);
  $("name").textContent = item.name;
  $("facts").textContent = item.status === "done" ? `${item.row.width} × ${item.row.height} pixels` : { waiting: "waiting", running: "looking …", failed: "" }[item.status];
  $("score").textContent = item.status === "done" ? words(item.row.score) : "–";
  $("decision").hidden = decision === null;
  $("decision").textContent = $("decision").dataset.decision = decision ?? "";
  const p = pValueOf(item);
  $("p-box").hidden = p === null;
  $("p-value").textContent = p?.toFixed(3) ?? "";
}

let zoomed = null; // the picture that the zoom belongs to

function drawStage(item) {
  if (zoomed !== item) {
    zoomed = item;
    reset();
  }
  $("stage").dataset.mode = state.mode;
  $("opacity-value").textContent = `${Math.round(100 * state.opacity)}%`;
  $("opacity").disabled = state.mode === "map";
  $("problem").hidden = item.status !== "failed";
  $("problem").textContent = item.error ?? "";
  if (item.status === "done") drawPanes(item, $("original"), $("heat"));
  else for (const id of ["original", "heat"]) $(id).getContext("2d").clearRect(0, 0, $(id).width, $(id).height);
}

function drawSliders() {
  for (const [id, value] of [["threshold", state.threshold], ["pixel-threshold", state.pixelThreshold]]) {
    if (scoreAt($(id).value) !== value) $(id).value = positionOf(value); // not while it is being moved
    $(id).setAttribute("aria-valuetext", words(value));
    $(`${id}-value`).textContent = words(value);
  }
}

function drawTally() {
  const counts = { anomalous: 0, normal: 0, failed: 0, open: 0 };
  for (const item of state.items) counts[item.status === "failed" ? "failed" : decisionOf(item) ?? "open"]++;
  const words = [`${counts.anomalous} anomalous`, `${counts.normal} normal`];
  if (counts.failed) words.push(`${counts.failed} failed`);
  if (counts.open) words.push(`${counts.open} to come`);
  $("tally").textContent = words.join(", ");
}

function drawRegions(item) {
  const regions = regionsOf(item);
  const more = regions.length > SHOWN_REGIONS ? `, the strongest ${SHOWN_REGIONS} are shown` : "";
  $("regions-count").textContent = item.status !== "done" ? "" : `${regions.length || "none"} from ${words(state.pixelThreshold)} on${more}`;
  const stamp = `${item.id} ${item.status} ${state.pixelThreshold}`;
  if ($("regions").dataset.stamp === stamp) return; // rebuilding would take the focus away
  $("regions").dataset.stamp = stamp;
  $("regions").replaceChildren(...regions.slice(0, SHOWN_REGIONS).map((region) => regionRow(item, region)));
}

function regionRow(item, region) {
  const [x, y, width, height] = region.box;
  const row = document.createElement("tr");
  const share = (100 * region.area) / (item.row.width * item.row.height);
  const peak = Object.assign(document.createElement("button"), { type: "button", textContent: words(region.peak) });
  peak.setAttribute("aria-label", `Peak ${words(region.peak)}, show its box and the good patch it was compared with`);
  row.append(document.createElement("td"));
  row.firstChild.append(peak);
  for (const text of [`${region.area.toLocaleString("en")} px`, `${share.toFixed(share < 1 ? 2 : 1)}%`, `${width} × ${height} at ${x}, ${y}`]) {
    row.append(Object.assign(document.createElement("td"), { textContent: text }));
  }
  row.addEventListener("click", () => showBeside(item, region));
  for (const on of ["pointerenter", "focusin"]) row.addEventListener(on, () => change({ hovered: region }));
  for (const off of ["pointerleave", "focusout"]) row.addEventListener(off, () => change({ hovered: null }));
  return row;
}

function saveRows(saver) {
  saver();
  const left = unsettled();
  if (left) report(`${left} picture${left === 1 ? " is" : "s are"} still being looked at and not in the file.`);
}

let reporting = 0;
function report(text) {
  $("status").textContent = text;
  $("status").hidden = false;
  clearTimeout(reporting);
  reporting = setTimeout(() => ($("status").hidden = true), 8000);
}

function listen() {
  takeFiles($("drop"), $("choose"), $("files"), add);
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
  document.addEventListener("drop", (event) => add([...event.dataTransfer.files]));
  $("clear").addEventListener("click", () => {
    forget();
    change({ items: [], selected: null, hovered: null, beside: null });
  });
  $("filter").addEventListener("change", () => change({ filter: $("filter").value }));
  $("retry").addEventListener("click", retry);
  setUpZoom([$("original"), $("heat")], (scale) => ($("zoom-value").textContent = `${Number(scale.toPrecision(2))}×`));
  $("zoom-in").addEventListener("click", () => zoomBy(1.5));
  $("zoom-out").addEventListener("click", () => zoomBy(1 / 1.5));
  $("sort").addEventListener("change", () => change({ sort: $("sort").value }));
  for (const radio of document.getElementsByName("mode")) radio.addEventListener("change", () => change({ mode: radio.value }));
  $("opacity").addEventListener("input", () => change({ opacity: $("opacity").value / 100 }));
  $("threshold").addEventListener("input", () => setThreshold(scoreAt($("threshold").value)));
  $("pixel-threshold").addEventListener("input", () => setPixelThreshold(scoreAt($("pixel-threshold").value)));
  $("heat").addEventListener("pointermove", (event) => {
    const found = state.selected?.status === "done" ? valueAt(state.selected, $("heat"), event) : null;
    $("readout").textContent = found ? `${found.x}, ${found.y}: ${words(found.value)}` : "";
  });
  $("heat").addEventListener("click", (event) => {
    const item = state.selected;
    const point = item?.status === "done" ? valueAt(item, $("heat"), event) : null;
    const region = point && regionAt(item, point);
    if (region) showBeside(item, region);
  });
  $("heat").addEventListener("pointerleave", () => ($("readout").textContent = ""));
  const savers = { csv: () => saveRows(saveCsv), jsonl: () => saveRows(saveJsonl), png: () => state.selected?.status === "done" && savePng(state.selected) };
  for (const button of document.querySelectorAll("[data-save]")) button.addEventListener("click", savers[button.dataset.save]);
  window.addEventListener("resize", () => change());
  $("help-open").addEventListener("click", () => $("help").showModal());
}

async function start() {
  setUpTheme($("theme"));
  setUpKeys();
  paintScale($("scale"));
  onChange(lookAgain); // before anything is drawn, so that nothing shows a score of another memory as settled
  onChange(draw);
  setUpBeside(report);
  listen();
  try {
    const [model] = (await api.models()).models;
    $("model").textContent = model.name.split(/[\\/]/).pop();
    $("model").title = `${model.name}, prompts ${model.prompts}`;
    const { threshold, pixel_threshold: pixel } = model.settings;
    if (threshold !== null) change({ threshold, pixelThreshold: pixel ?? threshold });
    setUpCalibration(report, model.settings.profile);
  } catch (error) {
    report(error.message);
  }
  const files = await kept();
  if (files.length) {
    take(files);
    report(`${files.length} picture${files.length === 1 ? "" : "s"} from before the reload; Clear forgets them.`);
  }
  change();
}

start();
