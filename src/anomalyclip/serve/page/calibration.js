// From normal images to thresholds: sends them a few at a time, says what came of it, saves and brings back profiles.
import * as api from "./api.js";
import { takeFiles } from "./drop.js";
import { Problem, count, say, tell } from "./language.js";
import { choose, chosenBefore, listProfiles, percent, revisions } from "./profiles.js";
import { paintFaults } from "./prognosis.js";
import { saveProfile } from "./save.js";
import { change, onChange, state } from "./state.js";
import { write } from "./write.js";

const AT_ONCE = 8;
const $ = (id) => document.getElementById(id);
let normals = [];
let noted; // name of the profile that the note is of: another's choice ends it

/** What was dropped as good. */
export const goodPictures = () => normals;

/** `given`: name of the profile that the server was started with, if it is the only one. Gives a promise: what decides is chosen. */
export function setUpCalibration(report, given) {
  takeFiles($("normals-drop"), $("normals-choose"), $("normals"), (files) => {
    normals = [...normals, ...files];
    showCount();
    change();
  });
  $("rate").addEventListener("change", showCount);
  const failed = (error) => note(() => error.message, "bad");
  $("calibration").addEventListener("submit", (event) => {
    event.preventDefault();
    run().catch(failed);
  });
  $("save-profile").addEventListener("click", () => {
    const { name } = state.profile;
    api.profile(name, true).then((file) => saveProfile(file, name)).catch(failed);
  });
  takeFiles($("profile-drop"), $("profile-choose"), $("profile-file"), (files) => bring(files[0]).catch(failed));
  onChange(() => {
    if (state.profile?.name !== noted && $("calibrated").dataset.kind !== "bad") write($("calibrated"), { hidden: true });
  });
  return begin(given).catch((error) => report(() => error.message));
}

/** The profile of before the reload decides on, else that of the server. */
async function begin(given) {
  const names = (await listProfiles()).map(({ name }) => name);
  const before = chosenBefore();
  const wanted = before === null || (before !== "" && !names.includes(before)) ? given : before;
  if (wanted) await choose(wanted);
}

async function bring(file) {
  const { profiles: [{ name, images, remembered }] } = await api.bring(await file.text());
  await choose(name);
  note(() => say("{name} is back: {images} normal images, {remembered} of them remembered.", { name, images, remembered }));
}

export function showCount() {
  const rate = Number($("rate").value);
  const needed = Math.ceil(1 / rate) - 1;
  const few = normals.length < needed ? ` ${say("{rate} needs at least {needed}.", { rate: percent(rate), needed })}` : "";
  $("normals-count").textContent = (normals.length ? count(normals.length, "{n} normal image.", "{n} normal images.") : say("No normal images yet.")) + few;
  $("calibrate").disabled = normals.length === 0;
}

async function run() {
  const [name, rate] = [$("profile-name").value, $("rate").value];
  const bar = Object.assign($("calibrating"), { hidden: false, value: 0, max: normals.length });
  $("calibrate").disabled = true;
  let answer;
  let skipped = 0;
  try {
    for (let i = 0; i < normals.length; i += AT_ONCE) {
      const revision = answer?.revision ?? revisions[name] ?? 0;
      answer = await api.calibrate(normals.slice(i, i + AT_ONCE), { name, rate, append: i > 0, revision });
      skipped += answer.skipped.length;
      bar.value = i + AT_ONCE;
    }
  } catch (error) {
    if (error.kind !== "conflict") throw error;
    await listProfiles();
    throw new Problem(() => say("Another page or program changed the profile {name} meanwhile. Press again to replace it " +
      "(the server keeps the one that is replaced), or take another name.", { name }));
  } finally {
    bar.hidden = true;
    $("calibrate").disabled = false;
  }
  revisions[name] = answer.revision;
  const left = () => (skipped ? ` ${say("{n} left out (unreadable or the same picture twice).", { n: skipped })}` : "") +
    answer.notes.map((line) => ` ${line}.`).join("");
  if (answer.profile === null) return note(() => tooFew(answer, name, Number(rate)) + left(), "bad");
  await choose(name);
  note(() => `${count(answer.images, "{n} normal image measured.", "{n} normal images measured.")} ${say("Thresholds are set.")}` +
    (answer.profile.remembered ? ` ${say("{n} are remembered; click a region to see the good patch beside it.", { n: answer.profile.remembered })}` : "") +
    (answer.earlier.length ? ` ${say("The earlier {name} is kept on the server (revision {revision}).", { name, revision: answer.earlier.at(-1) })}` : "") + left());
  paintFaults(name); // what it will find comes when it is there
}

function tooFew({ images, smallest_rate: best, images_needed: needed, kept }, name, rate) {
  const words = images === 0 ? say("None of these pictures could be measured.") : say("{images} images support {best} at best; {rate} needs {needed}. Drop more, or allow more false alarms.", {
    images, best: percent(best), rate: percent(rate), needed,
  });
  return kept ? `${words} ${say("The profile {name} of {images} images at {rate} stays.", { name, images: kept.images, rate: percent(kept.rate) })}` : words;
}

function note(make, kind = "") {
  noted = state.profile?.name;
  tell($("calibrated"), make);
  Object.assign($("calibrated"), { hidden: false }).dataset.kind = kind;
  change();
}
