// What the page knows. Views read it; changes go through `change`, which redraws once per frame.
import { findRegions } from "./map.js";

export const state = {
  items: [], // {id, file, name, status: waiting|running|done|failed, row, map, preview, error}
  selected: null,
  mode: "side",
  opacity: 0.75,
  threshold: 0.5,
  pixelThreshold: 0.5,
  profile: null, // the profile whose good pictures scores are held against
  moved: false, // thresholds were moved by hand since the profile set them
  judge: "", // name of the profile whose memory judges; it stays while thresholds are moved by hand
  judgeMade: "", // when that profile was made
  beside: null, // {item, region, nearest}: a region whose good neighbour is shown
  hovered: null, // a region under the pointer or focus
  sort: "given",
  filter: "", // "", anomalous, normal or failed
};

const views = [];
let pending = false;

export const onChange = (view) => views.push(view);

export function change(values = {}) {
  Object.assign(state, values);
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    for (const view of views) view();
  });
}

/** Thresholds moved by hand are no profile's any more; what its good pictures scored still tells p-values. */
export const setThreshold = (value) => change({ threshold: value, moved: true });

export const setPixelThreshold = (value) => change({ pixelThreshold: value, moved: true });

export function useProfile(profile) {
  if (profile === null) return change({ profile: null, moved: false, judge: "", judgeMade: "", beside: null });
  const judge = profile.remembered ? { judge: profile.name, judgeMade: profile.made } : { judge: "", judgeMade: "" };
  change({
    profile,
    ...judge,
    threshold: profile.image_threshold,
    pixelThreshold: profile.pixel_threshold,
    moved: false,
  });
}

export function decisionOf(item) {
  if (item.status !== "done") return null;
  return item.row.score >= state.threshold ? "anomalous" : "normal";
}

/** Whether an item was judged by the memory that judges now. */
export const isCurrent = (item) => (item.judge ?? "") === state.judge && (item.judgeMade ?? "") === state.judgeMade;

/** Share of normal images that score as high or higher, as `Profile.p_value` gives it; null without a profile. */
export function pValueOf(item) {
  if (item.status !== "done" || state.profile === null) return null;
  const own = Math.fround(item.row.score); // compared in the precision that scores are made in
  const scores = state.profile.scores;
  return (1 + scores.filter((score) => Math.fround(score) >= own).length) / (scores.length + 1);
}

export function regionsOf(item) {
  if (item.status !== "done") return [];
  if (item.regions?.at !== state.pixelThreshold) {
    item.regions = { at: state.pixelThreshold, found: findRegions(item.map, state.pixelThreshold, item.row) };
  }
  return item.regions.found;
}

export function ordered() {
  const shown = state.items.filter((item) => !state.filter || (item.status === "failed" ? "failed" : decisionOf(item)) === state.filter);
  if (state.sort === "given") return shown;
  return [...shown].sort((a, b) => (b.row?.score ?? -1) - (a.row?.score ?? -1));
}
