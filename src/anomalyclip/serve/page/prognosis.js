// What the line will find: faults that were painted on its good pictures, by kind, size and contrast; and the good pictures
// that set it. Painted again by the server from good pictures of this page, for it keeps none.
import * as api from "./api.js";
import { goodPictures } from "./calibration.js";
import { nameOf } from "./drop.js";
import { count, decimal, say } from "./language.js";
import { choose, percent } from "./profiles.js";
import { change, onChange, state } from "./state.js";
import { write } from "./write.js";

const SENT = 8; // good pictures that faults are painted on
const MOST_BYTES = 40e6; // of them together
const $ = (id) => document.getElementById(id);
const KINDS = {
  scratch: "scratch", crack: "crack", hole: "hole", stain: "stain", dent: "dent", contamination: "contamination",
  "missing piece": "missing piece", misplacement: "misplacement", "faint zone": "faint zone", blur: "blur",
};
let drawn = []; // what the card was last drawn of
let listed = []; // of which of it its tables were
let marks = []; // [span, score] of each cell of the table of faults
let painting = ""; // name of the profile that faults are painted for
let failure = "";
let urls = [];

export function setUpPrognosis() {
  $("paint").addEventListener("click", () => paintFaults(state.profile.name));
  onChange(() => {
    const { profile, threshold } = state;
    const shows = [profile, threshold, painting, failure, goodPictures().length, document.documentElement.lang];
    if (shows.every((one, at) => one === drawn[at])) return;
    drawn = shows;
    draw(profile);
  });
}

/** Have faults painted on the good pictures of this page. What fails is told in the card, and hinders nothing else. */
export async function paintFaults(name) {
  const files = mine(state.profile);
  if (!files.length || painting) return;
  [painting, failure] = [name, ""];
  change();
  try {
    await api.selfTest(name, files);
    if (state.profile?.name === name) await choose(name, true);
  } catch (error) {
    failure = error.message;
  } finally {
    painting = "";
    change();
  }
}

/** Good pictures of this page that the profile remembers by their names. */
function mine(profile) {
  const names = new Set(profile?.pictures ?? []);
  let bytes = 0;
  return goodPictures().filter((file) => names.delete(nameOf(file)) && (bytes += file.size) < MOST_BYTES).slice(0, SENT);
}

function draw(profile) {
  write($("prognosis"), { hidden: profile === null });
  if (profile === null) return;
  const lists = [profile, document.documentElement.lang];
  if (lists.some((one, at) => one !== listed[at])) {
    listed = lists;
    drawFaults(profile.selfTest?.tried ?? []);
    drawSetting(profile);
  }
  drawMarks(); // alone while the threshold is moved
  tell();
}

function tell() {
  const profile = state.profile;
  if (profile === null) return;
  const test = profile.selfTest;
  const busy = painting === profile.name;
  $("paint").hidden = busy || Boolean(test?.tried?.length) || mine(profile).length === 0;
  $("prognosis-words").dataset.kind = failure && !busy ? "bad" : "";
  $("prognosis-words").textContent = busy ? say("Painting faults on your good pictures …") : failure || wordsOf(profile, test);
}

function wordsOf(profile, test) {
  if (!profile.memory) return say("This profile remembers no pictures, so no faults can be painted on them.");
  if (test?.tried?.length) {
    const found = test.tried.filter(isFound).length;
    const share = percent(found / test.tried.length);
    return say("{found} of {all} painted faults ({share}) are found at this threshold: ● found, ○ missed. A prognosis, not a promise.", { found, all: test.tried.length, share });
  }
  if (test) {
    const kinds = Object.entries(test.kinds).map(([kind, share]) => `${say(KINDS[kind] ?? kind)} ${percent(share)}`);
    return `${say("{share} of {all} painted faults were found when the profile was made.", { share: percent(test.found), all: test.faults })} ${kinds.join(", ")}.`;
  }
  return mine(profile).length
    ? say("Nobody has painted faults for this line yet.")
    : say("No faults were painted for this line, and its good pictures are not here: drop them under Calibrate, or run anomalyclip calibrate.");
}

/** As decisions are made: in the precision that scores are made in. */
const isFound = ({ score }) => Math.fround(score) >= Math.fround(state.threshold);

function drawFaults(tried) {
  $("faults").hidden = tried.length === 0;
  const values = (key) => [...new Set(tried.map((one) => one[key]))].sort((a, b) => a - b);
  const [sizes, contrasts] = [values("size"), values("contrast").reverse()];
  const columns = contrasts.flatMap((contrast) => sizes.map((size) => ({ contrast, size })));
  $("faults-contrasts").replaceChildren(cell("td", ""), ...contrasts.map((one) =>
    Object.assign(cell("th", say("contrast {share}", { share: percent(one) })), { colSpan: sizes.length, scope: "colgroup" })));
  $("faults-sizes").replaceChildren(Object.assign(cell("th", say("fault")), { scope: "col" }), ...columns.map(({ size }) =>
    Object.assign(cell("th", percent(size)), { scope: "col", title: say("share of the picture's shorter side") })));
  marks = [];
  const kinds = [...new Set(tried.map((one) => one.kind))].sort((a, b) => Object.keys(KINDS).indexOf(a) - Object.keys(KINDS).indexOf(b));
  $("faults-rows").replaceChildren(...kinds.map((kind) => {
    const row = document.createElement("tr");
    const head = Object.assign(cell("th", say(KINDS[kind] ?? kind)), { scope: "row" });
    row.append(head, ...columns.map(({ contrast, size }) => mark(tried.filter((one) => one.kind === kind && one.size === size && one.contrast === contrast))));
    return row;
  }));
}

function mark(own) {
  if (!own.length) return cell("td", "");
  const score = Math.max(...own.map((one) => one.score));
  const dot = Object.assign(document.createElement("span"), { title: decimal(score.toFixed(3)) });
  dot.setAttribute("role", "img");
  marks.push([dot, score]);
  const td = cell("td", "");
  td.append(dot);
  return td;
}

function drawMarks() {
  for (const [dot, score] of marks) {
    const found = isFound({ score });
    write(dot, { textContent: found ? "●" : "○", "aria-label": `${say(found ? "found" : "missed")}, ${decimal(score.toFixed(3))}` });
  }
}

const cell = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });

function drawSetting(profile) {
  for (const url of urls) URL.revokeObjectURL(url);
  urls = [];
  $("setting-title").hidden = profile.scores.length === 0;
  $("setting-pictures").replaceChildren(...profile.setting.map((one) => settingPicture(profile, one)));
  $("setting-words").textContent = profile.setting.length
    ? say("Are they really good? The line lies where it does because of them.")
    : say("Their scores: {scores}. Which pictures they are is not known here: the profile remembers none, or was made by an older version.", {
      scores: profile.scores.slice(-3).reverse().map((score) => decimal(score.toFixed(3))).join("; "),
    });
  $("setting-words").hidden = profile.scores.length === 0;
}

function settingPicture(profile, { name, score, without, picture }) {
  const item = document.createElement("li");
  const image = Object.assign(document.createElement("img"), { alt: "", width: 72, height: 72 });
  const words = document.createElement("div");
  words.append(
    Object.assign(cell("b", name), { title: name }),
    cell("span", say("scores {score}", { score: decimal(score.toFixed(3)) })),
    cell("span", say("without it the threshold would be {without}", { without: decimal(without.toFixed(3)) })),
  );
  if (picture === null) words.append(cell("span", say("not among the remembered pictures, so it cannot be shown")));
  else show(profile, picture, image);
  item.append(image, words);
  return item;
}

async function show(profile, number, image) {
  try {
    const url = URL.createObjectURL(await api.goodPicture(profile.name, number));
    if (state.profile !== profile) return URL.revokeObjectURL(url);
    urls.push(url);
    image.src = url;
  } catch {
    image.alt = say("could not be fetched");
  }
}
