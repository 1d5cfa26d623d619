// Keys of the whole page; they leave fields and sliders alone.
import { moveBy } from "./list.js";
import { change, state } from "./state.js";

const MODES = { 1: "side", 2: "overlay", 3: "map" };

export function setUpKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input, select, textarea")) return;
    const act = actionOf(event.key);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function actionOf(key) {
  if (key in MODES) return () => setMode(MODES[key]);
  if (key === "o" || key === "O") return () => document.getElementById("files").click();
  if (key === "?") return () => document.getElementById("help").showModal();
  if ((key === "ArrowDown" || key === "ArrowUp") && state.items.length) return () => moveBy(key === "ArrowDown" ? 1 : -1);
  return null;
}

function setMode(mode) {
  document.querySelector(`input[name="mode"][value="${mode}"]`).checked = true;
  change({ mode });
}
