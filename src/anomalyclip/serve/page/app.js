// The page: takes files, keeps everything on the screen in step with `state`.
import * as api from "./api.js";
import { regionAt, setUpBeside, showBeside } from "./beside.js";
import { setUpCalibration, showCount } from "./calibration.js";
import { paintScale } from "./colours.js";
import { setUpCorrecting } from "./correct.js";
import { takeFiles } from "./drop.js";
import { forget, keep, kept } from "./keep.js";
import { setUpKeys } from "./keys.js";
import { count, decimal, say, setUpLanguage, tell } from "./language.js";
import { drawList, setUpList } from "./list.js";
import { drawProgress, forgetAll, lookAgain, retry, take } from "./looking.js";
import { setUpLive } from "./live.js";
import { valueAt } from "./picture.js";
import { listProfiles, setUpProfiles } from "./profiles.js";
import { setUpPrognosis } from "./prognosis.js";
import { drawRegions } from "./regions.js";
import { lacking, saveCoco, saveCsv, saveJsonl, savePng, saveReport, saveZip } from "./save.js";
import { scoreAt, words } from "./scale.js";
import { drawSelected } from "./show.js";
import { setUpStrip } from "./strip.js";
import { change, onChange, setPixelThreshold, setThreshold, state } from "./state.js";
import { setUpTheme } from "./theme.js";
import { setUpTiles } from "./tile.js";
import { write } from "./write.js";
import { onZoom, setUpZoom, zoomBy } from "./zoom.js";

const $ = (id) => document.getElementById(id);
let drawTiles = null;

function add(files) {
  keep(files).then((left) => left && report(() => say("{n} of them will not outlive a reload: this browser keeps no more.", { n: left })));
  take(files);
}

function draw() {
  const item = state.selected;
  document.body.toggleAttribute("data-empty", state.items.length === 0);
  if (state.view === "grid" && document.body.dataset.view !== "grid") window.scrollTo(0, 0); // the grid stands where the page begins
  write(document.body, { "data-view": state.view });
  write($("view"), { "aria-pressed": String(state.view === "grid") });
  drawList();
  drawProgress();
  if (!item) return;
  drawSelected(item);
  drawTiles();
  drawRegions(item);
}

let reporting = 0;

/** make gives the words, in whatever language they are read. */
function report(make) {
  tell($("status"), make);
  $("status").hidden = false;
  clearTimeout(reporting);
  reporting = setTimeout(() => ($("status").hidden = true), 8000);
}

/** Files with rows tell what they lack; what fails is told, too. A saver gives what makes its words, or nothing. */
function saving(saver, rows = true) {
  return async () => {
    try {
      const told = [await saver(), rows ? lacking() : null].filter(Boolean);
      if (told.length) report(() => told.map((make) => make()).join(" "));
    } catch (error) {
      report(() => error.message);
    }
  };
}

const SAVERS = {
  csv: saving(saveCsv),
  jsonl: saving(saveJsonl),
  coco: saving(saveCoco),
  report: saving(saveReport),
  zip: saving(() => saveZip((done, all) => report(() => say("Overlays: {done} of {all}", { done, all })))),
  png: saving(() => (state.selected?.status === "done" ? savePng(state.selected) : null), false),
};

function listen() {
  takeFiles($("drop"), $("choose"), $("files"), add);
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
  document.addEventListener("drop", (event) => add([...event.dataTransfer.files]));
  $("clear").addEventListener("click", () => {
    forget();
    forgetAll();
    change({ items: [], selected: null, hovered: null, beside: null, view: "one" });
  });
  $("view").addEventListener("click", () => change({ view: state.view === "grid" ? "one" : "grid" }));
  $("filter").addEventListener("change", () => change({ filter: $("filter").value }));
  $("sort").addEventListener("change", () => change({ sort: $("sort").value }));
  $("retry").addEventListener("click", retry);
  for (const radio of document.getElementsByName("mode")) radio.addEventListener("change", () => change({ mode: radio.value }));
  $("opacity").addEventListener("input", () => change({ opacity: $("opacity").value / 100 }));
  $("threshold").addEventListener("input", () => setThreshold(scoreAt($("threshold").value)));
  $("pixel-threshold").addEventListener("input", () => setPixelThreshold(scoreAt($("pixel-threshold").value)));
  for (const button of document.querySelectorAll("[data-save]")) button.addEventListener("click", SAVERS[button.dataset.save]);
  window.addEventListener("resize", () => change());
  $("help-open").addEventListener("click", () => $("help").showModal());
}

function listenToPicture() {
  setUpZoom([$("original"), $("heat")]);
  onZoom((scale) => {
    write($("zoom-value"), { textContent: `${decimal(`${Number(scale.toPrecision(2))}`)}×` });
    showReadout();
  });
  $("zoom-in").addEventListener("click", () => zoomBy(1.5));
  $("zoom-out").addEventListener("click", () => zoomBy(1 / 1.5));
  const pane = (id, heat) => ({ canvas: $(id), tile: $(`${id}-tile`), heat });
  drawTiles = setUpTiles([pane("original", false), pane("heat", true)]);
  const seen = () => (state.selected?.status === "done" && state.selected.map ? state.selected : null);
  let pointed = null; // where the pointer is: keys move the picture, or bring another, under it
  const showReadout = () => {
    const found = pointed && seen() && valueAt(seen(), $("heat"), pointed);
    write($("readout"), { textContent: found ? `${found.x}, ${found.y}: ${words(found.value)}` : "" });
  };
  const point = (event) => {
    pointed = event;
    showReadout();
  };
  $("heat").addEventListener("pointermove", point);
  $("heat").addEventListener("pointerleave", () => point(null));
  onChange(showReadout);
  $("heat").addEventListener("click", (event) => {
    const point = seen() && valueAt(seen(), $("heat"), event);
    const region = point && regionAt(seen(), point);
    if (region) showBeside(seen(), region);
  });
}

async function start() {
  const before = kept(); // read first: what is dropped from now on is kept at once, not when the server has answered
  await setUpLanguage($("language"), () => {
    showCount();
    showTheme();
    listProfiles().then(() => change(), (error) => report(() => error.message));
  });
  showCount();
  const showTheme = setUpTheme($("theme"));
  setUpKeys();
  paintScale($("scale"));
  setUpList($("list"));
  setUpStrip($("strip"));
  onChange(lookAgain); // before anything is drawn, so that nothing shows a score of another memory as settled
  onChange(draw);
  setUpBeside(report);
  setUpProfiles(report);
  setUpCorrecting(report);
  setUpPrognosis();
  listen();
  listenToPicture();
  try {
    const { models: [model], live, kept: keeps } = await api.models();
    setUpLive(live);
    onChange(() => write($("kept"), { textContent: say(keeps ? "This server keeps profiles and corrections when it ends." : "Profiles and corrections end with this server: save the profile, or start it with --keep DIR.") }));
    onChange(() => write($("model"), {
      textContent: [model.name.split(/[\\/]/).pop(), state.profile?.name].filter(Boolean).join(" · "),
      title: say("{model}, prompts {prompts}", { model: model.name, prompts: model.prompts }),
    }));
    const { threshold, pixel_threshold: pixel } = model.settings;
    if (threshold !== null) change({ threshold, pixelThreshold: pixel ?? threshold });
    await setUpCalibration(report, model.settings.profile); // before pictures are looked at, or each would be twice
  } catch (error) {
    report(() => error.message);
  }
  const files = await before;
  if (files.length) {
    take(files);
    report(() => count(files.length, "{n} picture from before the reload; Clear forgets it.", "{n} pictures from before the reload; Clear forgets them."));
  }
  change();
}

start();
