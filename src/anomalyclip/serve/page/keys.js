// Keys of the whole page; words that are being typed, and the keys a control itself uses, are left alone.
import { correct } from "./correct.js";
import { moveBy, perLine } from "./list.js";
import { change, state } from "./state.js";
import { isZoomed, move, reset, zoomBy } from "./zoom.js";

const MODES = { 1: "side", 2: "overlay", 3: "map" };
const TYPED = "textarea, input:not([type]), input[type=text], input[type=password], input[type=search]";
const OWN = new Set(["ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown", " ", "Enter"]);
const SIDEWAYS = { ArrowLeft: -1, ArrowRight: 1 };
const PANS = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };

export function setUpKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest(`${TYPED}, select`)) return;
    const inList = event.target.closest(".item") && event.key in SIDEWAYS; // a button, which has no use for them
    if (event.target.closest("input, button") && OWN.has(event.key) && !inList) return;
    const act = actionOf(event.key, event.shiftKey);
    if (!act) return;
    event.preventDefault();
    act();
  });
  // A list that was used by the pointer gives the keys back; who walks there by keys keeps it.
  let pointed = false;
  document.addEventListener("pointerdown", () => (pointed = true), true);
  document.addEventListener("keydown", () => (pointed = false), true);
  document.addEventListener("change", (event) => pointed && event.target.matches("select") && event.target.blur());
}

function actionOf(key, shifted) {
  if (key in MODES) return () => setMode(MODES[key]);
  if (key === "o" || key === "O") return () => document.getElementById("files").click();
  if (key === "?") return () => document.getElementById("help").showModal();
  if (key === "+" || key === "=") return () => zoomBy(1.5);
  if (key === "-") return () => zoomBy(1 / 1.5);
  if (key === "0") return reset;
  if (key === "g" || key === "G") return () => change({ view: state.view === "grid" ? "one" : "grid" });
  if (key === "n" || key === "N") return () => correct("false alarm");
  if (key === "f" || key === "F") return () => correct("faulty");
  if (state.view === "grid" && key in SIDEWAYS) return () => moveBy(SIDEWAYS[key]);
  if (key in PANS && isZoomed() && (shifted || key in SIDEWAYS)) return () => move(...PANS[key]);
  if ((key === "ArrowDown" || key === "ArrowUp") && state.items.length) return () => moveBy((key === "ArrowDown" ? 1 : -1) * perLine());
  return null;
}

function setMode(mode) {
  document.querySelector(`input[name="mode"][value="${mode}"]`).checked = true;
  change({ mode });
}
