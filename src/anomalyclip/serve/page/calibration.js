// From normal images to thresholds: sends them a few at a time, says what came of it, offers the profile.
import * as api from "./api.js";
import { takeFiles } from "./drop.js";
import { saveProfile } from "./save.js";
import { change, onChange, state, useProfile } from "./state.js";

const AT_ONCE = 8;
const $ = (id) => document.getElementById(id);
const percent = (share) => `${Number((100 * share).toPrecision(2))}%`;
let normals = [];
let revisions = {}; // of profiles, by name, as this page has seen them

/** `given`: name of the profile that the server was started with, if it is the only one. */
export function setUpCalibration(report, given) {
  takeFiles($("normals-drop"), $("normals-choose"), $("normals"), (files) => {
    normals = [...normals, ...files];
    showCount();
  });
  $("rate").addEventListener("change", showCount);
  $("calibration").addEventListener("submit", (event) => {
    event.preventDefault();
    run().catch((error) => note(error.message, "bad"));
  });
  $("save-profile").addEventListener("click", async () => saveProfile(await api.profile(state.profile.name, true), state.profile.name));
  takeFiles($("profile-drop"), $("profile-choose"), $("profile-file"), (files) => bring(files[0]).catch((error) => note(error.message, "bad")));
  $("profile").addEventListener("change", () => choose($("profile").value).catch((error) => report(error.message)));
  onChange(showProfile);
  listProfiles().then(() => (given ? choose(given) : null)).catch((error) => report(error.message));
}

async function bring(file) {
  const { profiles } = await api.bring(await file.text());
  await listProfiles();
  await choose(profiles[0].name);
  note(`${profiles[0].name} is back: ${profiles[0].images} normal images, ${profiles[0].remembered} of them remembered.`);
}

function showCount() {
  const needed = Math.ceil(1 / Number($("rate").value)) - 1;
  const count = normals.length;
  const few = count < needed ? ` ${percent(Number($("rate").value))} needs at least ${needed}.` : "";
  $("normals-count").textContent = (count ? `${count} normal image${count === 1 ? "" : "s"}.` : "No normal images yet.") + few;
  $("calibrate").disabled = count === 0;
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
    throw new Error(`Another page or program changed the profile ${name} meanwhile. Press again to replace it ` +
      "(the server keeps the one that is replaced), or take another name.");
  } finally {
    bar.hidden = true;
    $("calibrate").disabled = false;
  }
  revisions[name] = answer.revision;
  const left = skipped ? ` ${skipped} left out (unreadable or the same picture twice).` : "";
  const notes = answer.notes.map((line) => ` ${line}.`).join("");
  if (answer.profile === null) {
    const best = percent(answer.smallest_rate);
    const kept = answer.kept ? ` The profile ${name} of ${answer.kept.images} images at ${percent(answer.kept.rate)} stays.` : "";
    note(`${answer.images} images support ${best} at best; ${percent(Number(rate))} needs ${answer.images_needed}.${left} ` +
      `Drop more, or allow more false alarms.${kept}${notes}`, "bad");
    return;
  }
  await listProfiles();
  await choose(name);
  const { remembered } = answer.profile;
  const memory = remembered ? ` ${remembered} are remembered; click a region to see the good patch beside it.` : "";
  const before = answer.earlier.length ? ` The earlier ${name} is kept on the server (revision ${answer.earlier.at(-1)}).` : "";
  note(`${answer.images} normal images measured.${left} Thresholds are set.${memory}${before}${notes}`);
}

async function listProfiles() {
  const { profiles } = await api.profiles();
  revisions = Object.fromEntries(profiles.map(({ name, revision }) => [name, revision]));
  const first = $("profile").options[0];
  $("profile").replaceChildren(first, ...profiles.map(({ name, images }) => new Option(`${name} (${images} images)`, name)));
}

async function choose(name) {
  if (name === "") return useProfile(null);
  const { profiles } = await api.profiles();
  const summary = profiles.find((one) => one.name === name);
  const file = await api.profile(name);
  useProfile({ ...summary, scores: file.profiles[0].image.scores });
}

function showProfile() {
  const profile = state.profile;
  $("profile").value = profile?.name ?? "";
  $("save-profile").hidden = profile === null;
  $("guarantee").textContent = profile === null ? "" : state.moved ? flagged(profile) : guarantee(profile);
  if (profile === null && $("calibrated").dataset.kind !== "bad") $("calibrated").hidden = true;
}

/** What a threshold that was moved by hand does to the good pictures. */
function flagged({ scores }) {
  const above = scores.filter((score) => score >= state.threshold).length;
  return `Would flag ${above} of your ${scores.length} good (${percent(above / scores.length)}).`;
}

function guarantee({ rate, images, rate_interval: [low, high] }) {
  return `At most ${percent(rate)} of normal images are called anomalous, averaged over calibrations; ` +
    `with these ${images} images it is ${percent(low)} to ${percent(high)} (95%).`;
}

function note(text, kind = "") {
  const line = $("calibrated");
  line.textContent = text;
  line.dataset.kind = kind;
  line.hidden = false;
  change();
}
