// What the page knows. Views read it; changes go through `change`, which redraws once per frame.
import { findRegions } from "./map.js";

export const state = {
  items: [], // {id, file, name, status: waiting|running|done|failed, row, map, preview, problem}
  selected: null,
  mode: "side",
  opacity: 0.75,
  threshold: 0.5,
  pixelThreshold: 0.5,
  profile: null, // the profile whose good pictures scores are held against
  moved: false, // thresholds were moved by hand since the profile set them
  judge: "", // name of the profile whose memory judges; it stays while thresholds are moved by hand
  judgeMade: "", // the hash of that memory
  beside: null, // {item, region}: a region whose good neighbour is shown
  hovered: null, // a region under the pointer or focus
  sort: "given",
  filter: "", // "", or what FILTERS names
  view: "one", // or "grid"
  zoom: { scale: 1, x: 0, y: 0 },
  corrections: [], // entries of the profile's journal that are in force
};

const views = [];
let pending = null; // a promise while a redraw is to come
let redraw = () => null;

export const onChange = (view) => views.push(view);

/** Gives a promise that is kept once the views show it: what is told after that is told of what stands on the screen. */
export function change(values = {}) {
  Object.assign(state, values);
  pending ??= new Promise((resolve) => {
    redraw = () => {
      pending = null;
      redraw = () => null;
      try {
        for (const view of views) view();
      } finally {
        resolve();
      }
    };
    const frame = document.hidden ? setTimeout : requestAnimationFrame; // a tab in the background has no frames, but works on
    frame(() => redraw());
  });
  return pending;
}

document.addEventListener("visibilitychange", () => document.hidden && redraw()); // the frame that was waited for will not come

/** Thresholds moved by hand are no profile's any more; what its good pictures scored still tells p-values. */
export const setThreshold = (value) => change({ threshold: value, moved: true });

export const setPixelThreshold = (value) => change({ pixelThreshold: value, moved: true });

export function useProfile(profile) {
  if (profile === null) return change({ profile: null, moved: false, judge: "", judgeMade: "", beside: null, corrections: [] });
  if (profile.name !== state.profile?.name) for (const item of state.items) item.before = null; // what a correction of another changed
  const judge = profile.memory ? { judge: profile.name, judgeMade: profile.memory } : { judge: "", judgeMade: "" };
  return change({
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

/** What was said of an item: "false alarm", "faulty", or null. */
export function saidOf(item) {
  const meant = (one) => (one.digest && item.row?.digest ? one.digest === item.row.digest : one.path === item.name);
  for (const { pictures } of state.corrections) for (const one of pictures) if (meant(one)) return one.said;
  return null;
}

/** What an item was before the last correction, where that is another decision than now; null where it is the same. */
export function changeOf(item) {
  const now = decisionOf(item);
  return item.before && now && item.before.decision !== now ? item.before.decision : null;
}

/** Regions at the page's threshold; of an item whose map was let go, those that the server told at its own. */
export function regionsOf(item) {
  if (item.status !== "done") return [];
  if (!item.map) return item.row.regions;
  if (item.regions?.at !== state.pixelThreshold) {
    item.regions = { at: state.pixelThreshold, found: findRegions(item.map, state.pixelThreshold, item.row) };
  }
  return item.regions.found;
}

const FILTERS = {
  "": () => true,
  anomalous: (item) => decisionOf(item) === "anomalous",
  normal: (item) => decisionOf(item) === "normal",
  failed: (item) => item.status === "failed",
  corrected: (item) => saidOf(item) !== null,
  changed: (item) => changeOf(item) !== null,
};

export function ordered() {
  const shown = state.filter ? state.items.filter(FILTERS[state.filter]) : state.items;
  if (state.sort === "given") return shown;
  return [...shown].sort((a, b) => (b.row?.score ?? -1) - (a.row?.score ?? -1));
}
