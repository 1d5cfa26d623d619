// The profiles of the server: which there are, which one is used, what it promises; and thresholds moved by hand.
import * as api from "./api.js";
import { Problem, count, decimal, say } from "./language.js";
import { change, onChange, state, useProfile } from "./state.js";
import { remembered } from "./storage.js";
import { write } from "./write.js";

const $ = (id) => document.getElementById(id);
export const percent = (share) => decimal(`${Number((100 * share).toPrecision(2))}%`);
/** Revisions of profiles, by name, as this page has seen them. */
export const revisions = {};

export function setUpProfiles(report) {
  $("profile").addEventListener("change", () => choose($("profile").value).catch((error) => report(() => error.message)));
  $("keep-thresholds").addEventListener("click", () => keepThresholds().catch((error) => report(() => error.message)));
  onChange(showProfile);
}

export async function listProfiles() {
  const { profiles } = await api.profiles();
  for (const name of Object.keys(revisions)) delete revisions[name];
  for (const { name, revision } of profiles) revisions[name] = revision;
  const first = $("profile").options[0];
  const words = ({ name, images }) => `${name} (${count(images, "{n} image", "{n} images")})`;
  $("profile").replaceChildren(first, ...profiles.map((one) => new Option(words(one), one.name)));
  return profiles;
}

const chosen = remembered("anomalyclip-profile", "sessionStorage");

/** What decided before this tab was loaded anew: a name, "" for the sliders, null where nothing is known. */
export const chosenBefore = () => chosen.get();

/**
 * Decide by a profile from now on; "" is by the sliders. Done once the page shows it: what its memory has not seen waits.
 * again: only what is known of it is new, thresholds that were moved stay.
 */
export async function choose(name, again = false) {
  chosen.set(name);
  if (name === "") return useProfile(null);
  const summary = (await listProfiles()).find((one) => one.name === name);
  const [file, { entries }] = await Promise.all([api.profile(name), api.corrections(name)]);
  const { image, operating, memory, setting = [], self_test: selfTest } = file.profiles[0];
  const profile = { ...summary, scores: image.scores, operating, memory: memory?.sha256, pictures: memory?.pictures, setting, selfTest };
  if (again && state.profile?.memory === profile.memory) change({ profile });
  else useProfile(profile);
  await change({ corrections: entries.filter((one) => one.in_force && one.action === "correct") });
}

/** A change that another page or program was quicker with: look at what is there now, and say so. */
export async function unlessChanged(name, act) {
  try {
    return await act(revisions[name] ?? 0);
  } catch (error) {
    if (error.kind === "conflict" && /another client/.test(error.message)) {
      await choose(name);
      throw new Problem(() => say("Another page or program changed the profile {name} meanwhile. It is shown as it is now; press again.", { name }));
    }
    throw error;
  }
}

async function keepThresholds() {
  const { name } = state.profile;
  const { threshold, pixelThreshold } = state;
  await unlessChanged(name, (revision) => api.keepThresholds(name, { threshold, pixel_threshold: pixelThreshold, by: who(), revision }));
  await choose(name);
}

/** Who corrects, for the journal. */
export const who = () => $("by").value.trim() || say("the page");

function showProfile() {
  const profile = state.profile;
  write($("profile"), { value: profile?.name ?? "" });
  write($("save-profile"), { hidden: profile === null });
  write($("keep-thresholds"), { hidden: profile === null || !state.moved });
  write($("guarantee"), { textContent: profile === null ? "" : promise(profile) });
}

function promise(profile) {
  const flagged = flags(profile);
  if (state.moved) return flagged;
  if (profile.moved) return `${say("Moved by hand by {by}.", { by: profile.moved.by })} ${flagged}`;
  if (profile.operating) {
    const found = count(profile.operating.anomalies, "Set by {n} faulty picture.", "Set by {n} faulty pictures.");
    return `${found} ${flagged}`;
  }
  const { rate, images, rate_interval: [low, high] } = profile;
  return say("At most {rate} of normal images are called anomalous, averaged over calibrations; with these {images} images it is {low} to {high} (95%).", {
    rate: percent(rate), images, low: percent(low), high: percent(high),
  });
}

/** What the threshold does to the good pictures. */
function flags({ scores }) {
  const above = scores.filter((score) => Math.fround(score) >= Math.fround(state.threshold)).length;
  return say("Would flag {above} of your {all} good ({share}).", { above, all: scores.length, share: percent(above / scores.length) });
}
