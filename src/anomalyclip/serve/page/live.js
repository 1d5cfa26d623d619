// A watch while it runs: the last 50 results of a camera or folder, the newest first, by server-sent events.
import * as api from "./api.js";
import { say, tell } from "./language.js";
import { words } from "./scale.js";

const LAST = 50;
const AGAIN = 3000; // milliseconds until a stream that broke is asked for again
const $ = (id) => document.getElementById(id);
let stop = null; // ends the stream that runs

/** shown: whether the server follows a watch. */
export function setUpLive(shown) {
  $("live-open").hidden = !shown;
  $("live-open").addEventListener("click", () => {
    $("live").showModal();
    follow();
  });
  $("live").addEventListener("close", () => stop?.abort());
}

async function follow() {
  const mine = (stop = new AbortController());
  while (!mine.signal.aborted) {
    try {
      $("live-rows").replaceChildren();
      tell($("live-words"), () => say("Watching. The newest result stands first."));
      await api.follow(mine.signal, add);
      tell($("live-words"), () => say("The server ended the stream; it is asked again."));
    } catch (error) {
      if (!mine.signal.aborted) tell($("live-words"), () => error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}

function add(row) {
  const cell = document.createElement("li");
  const decision = row.error ? "failed" : row.decision ?? "";
  cell.className = "live-row";
  cell.dataset.decision = decision;
  const picture = Object.assign(document.createElement("img"), { alt: "", className: "thumb", hidden: true });
  const name = Object.assign(document.createElement("span"), { className: "live-name", textContent: row.path.split(/[\\/]/).pop(), title: row.path });
  const told = Object.assign(document.createElement("span"), { className: "state" });
  told.dataset.decision = decision;
  const score = Object.assign(document.createElement("span"), { className: "number" });
  cell.append(picture, name, told, score);
  $("live-rows").prepend(cell);
  tell(told, () => row.error ?? say(decision));
  tell(score, () => (row.score === null ? "" : words(row.score)));
  while ($("live-rows").children.length > LAST) $("live-rows").lastChild.remove();
  if (row.overlay) show(picture, row.overlay).catch(() => null); // it may be gone from the ring
}

async function show(picture, name) {
  const url = URL.createObjectURL(await api.liveOverlay(name));
  picture.onload = () => URL.revokeObjectURL(url);
  Object.assign(picture, { src: url, hidden: false });
}
