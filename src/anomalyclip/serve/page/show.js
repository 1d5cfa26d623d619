// The selected image on the screen: its verdict, its two panes, the sliders and the tally.
import { decimal, number, say } from "./language.js";
import { fetched } from "./looking.js";
import { drawPanes } from "./picture.js";
import { positionOf, scoreAt, words } from "./scale.js";
import { decisionOf, pValueOf, state } from "./state.js";
import { drawStrip } from "./strip.js";
import { write } from "./write.js";
import { reset } from "./zoom.js";

const $ = (id) => document.getElementById(id);
const STATES = { waiting: "waiting", running: "looking …", failed: "" };
let zoomed = null; // the picture that the zoom belongs to
let shown = []; // what the panes were last drawn of

export function drawSelected(item) {
  drawVerdict(item);
  drawStage(item);
  drawStrip($("strip"));
  drawSliders();
  drawTally();
}

function drawVerdict(item) {
  const decision = decisionOf(item);
  const { width, height } = item.row ?? {};
  write($("name"), { textContent: item.name, title: item.name });
  write($("facts"), { textContent: item.status === "done" ? say("{width} × {height} pixels", { width, height }) : say(STATES[item.status]) });
  write($("score"), { textContent: item.status === "done" ? words(item.row.score) : "–" });
  write($("decision"), { hidden: decision === null, textContent: decision ? say(decision) : "", "data-decision": decision ?? "" });
  const p = pValueOf(item);
  write($("p-box"), { hidden: p === null });
  write($("p-value"), { textContent: decimal(p?.toFixed(3) ?? "") });
}

function drawStage(item) {
  if (zoomed !== item) {
    zoomed = item;
    reset();
  }
  write($("stage"), { "data-mode": state.mode });
  write($("opacity-value"), { textContent: `${Math.round(100 * state.opacity)}%` });
  write($("opacity"), { disabled: state.mode === "map" });
  write($("problem"), { hidden: item.status !== "failed", textContent: item.status === "failed" ? item.problem.message : "" });
  if (item.status === "done" && item.map) {
    const shows = [item.map, state.mode, state.opacity, state.pixelThreshold, state.hovered];
    if (shows.some((one, at) => one !== shown[at])) drawPanes(item, $("original"), $("heat"));
    shown = shows;
    return;
  }
  shown = [];
  for (const id of ["original", "heat"]) $(id).getContext("2d").clearRect(0, 0, $(id).width, $(id).height);
  if (item.status === "done") fetched(item).catch(() => null); // its row stays; the next draw tries again
}

function drawSliders() {
  for (const [id, value] of [["threshold", state.threshold], ["pixel-threshold", state.pixelThreshold]]) {
    if (scoreAt($(id).value) !== value) $(id).value = positionOf(value); // not while it is being moved
    write($(id), { "aria-valuetext": words(value) });
    write($(`${id}-value`), { textContent: words(value) });
  }
}

function drawTally() {
  const counts = { anomalous: 0, normal: 0, failed: 0, open: 0 };
  for (const item of state.items) counts[item.status === "failed" ? "failed" : decisionOf(item) ?? "open"]++;
  const told = [say("{n} anomalous", { n: number(counts.anomalous) }), say("{n} normal", { n: number(counts.normal) })];
  if (counts.failed) told.push(say("{n} failed", { n: number(counts.failed) }));
  if (counts.open) told.push(say("{n} to come", { n: number(counts.open) }));
  write($("tally"), { textContent: told.join(", ") });
}
