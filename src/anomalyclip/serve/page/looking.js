// Sends pictures to be looked at, a few at a time; keeps the maps of the latest ones, and asks again for others.
import * as api from "./api.js";
import { nameOf } from "./drop.js";
import { count, decimal, say } from "./language.js";
import { bytesOf, readMap } from "./map.js";
import { heatThumb, thumb } from "./picture.js";
import { change, decisionOf, isCurrent, state } from "./state.js";
import { write } from "./write.js";

const SIDE = 1024; // longest side of maps and previews in the page
const AT_ONCE = 3;
const KEPT = 60; // pictures whose map and preview are held: 8 MB each
const $ = (id) => document.getElementById(id);
let number = 0;
let running = 0;
let begun = { at: 0, done: 0 }; // when the pictures that wait were begun, and how many were done before
let latest = []; // items whose map is held, the latest last

/** Put files on the list and have them looked at. */
export function take(files) {
  const items = files.map((file) => ({ id: ++number, file, name: nameOf(file), status: "waiting" }));
  change({ items: [...state.items, ...items], selected: state.selected ?? items[0] ?? null });
  go();
}

const finished = () => state.items.filter((item) => item.status === "done" || item.status === "failed").length;
const next = () => state.items.find((item) => item.status === "waiting");
const retriable = () => state.items.filter((item) => item.status === "failed" && item.retry);

function go() {
  if (running === 0) begun = { at: performance.now(), done: finished() };
  while (running < AT_ONCE && next()) work();
}

async function work() {
  running++;
  for (let item = next(); item; item = next()) {
    item.status = "running";
    try {
      await look(item);
    } catch (error) {
      // What the server says of a file is its own; all else may be tried again.
      Object.assign(item, { status: "failed", problem: error, retry: error instanceof api.ServerError });
    }
    change();
  }
  running--;
}

async function look(item) {
  const [judge, judgeMade] = [state.judge, state.judgeMade];
  item.row = await api.detect(item.file, SIDE, judge);
  if (item.row.error !== null) throw new Error(item.row.error);
  await hold(item, item.row);
  if (!item.thumb || item.judge !== judge || item.judgeMade !== judgeMade) {
    const old = [item.thumb, item.heatThumb];
    item.small = await Promise.all([thumb(item), heatThumb(item)]);
    [item.thumb, item.heatThumb] = item.small.map((blob) => URL.createObjectURL(blob));
    revoke(old);
  }
  Object.assign(item, { status: "done", judge, judgeMade });
  if (!isCurrent(item)) item.status = "waiting"; // another memory was chosen meanwhile
}

/** Keep what a row brings in better forms, and let the oldest go. */
async function hold(item, row) {
  const preview = await createImageBitmap(new Blob([bytesOf(row.preview.split(",")[1])]));
  Object.assign(item, { map: readMap(row.map), preview, regions: null });
  row.map = row.preview = null;
  latest = [...latest.filter((one) => one !== item), item];
  for (const old of latest.slice(0, -KEPT)) if (old !== state.selected) letGo(old);
  latest = latest.filter((one) => one.map);
}

function letGo(item) {
  item.preview?.close();
  Object.assign(item, { map: null, preview: null, regions: null });
}

/** The map and preview of an item that was looked at, asked for again where they were let go. */
export async function fetched(item) {
  if (item.map) return item;
  item.coming ??= look(item).finally(() => {
    item.coming = null;
    change();
  });
  await item.coming;
  return item;
}

/** Another memory judges: what it has not seen is looked at again. */
export function lookAgain() {
  const old = state.items.filter((item) => item.status === "done" && !isCurrent(item));
  if (!old.length) return;
  for (const item of old) item.status = "waiting";
  go();
}

/** What every picture is now, to tell later what a correction changed. */
export function remember() {
  for (const item of state.items) if (item.status === "done") item.before = { score: item.row.score, decision: decisionOf(item) };
}

export function retry() {
  for (const item of retriable()) item.status = "waiting";
  change();
  go();
}

export function forgetAll() {
  for (const item of state.items) {
    letGo(item);
    revoke([item.thumb, item.heatThumb]);
  }
  latest = [];
}

/** Once the list shows others. */
const revoke = (urls) => setTimeout(() => urls.forEach((url) => url && URL.revokeObjectURL(url)), 1000);

export function drawProgress() {
  const [all, done] = [state.items.length, finished()];
  const rate = (done - begun.done) / Math.max(1e-3, (performance.now() - begun.at) / 1000);
  write($("progress"), { hidden: done === all });
  const again = retriable().length;
  write($("retry"), { hidden: again === 0 });
  if (again) write($("retry"), { textContent: count(again, "Retry the one that was not looked at", "Retry {n} that were not looked at") });
  if (done === all) return write($("rate-now"), { textContent: "" });
  Object.assign($("bar"), { max: all, value: done });
  const left = rate > 0 ? say(", {seconds} s left", { seconds: Math.ceil((all - done) / rate) }) : "";
  $("rate-now").textContent = say("{done} of {all}, {rate} per second", { done, all, rate: decimal(rate.toFixed(1)) }) + left;
}
