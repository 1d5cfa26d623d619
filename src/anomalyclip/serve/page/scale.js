// Scores as positions on a line. A score is a softmax, so even steps are steps of its logit: 0.001 and 0.01 lie as far
// apart as 0.99 and 0.999, and the scores of a sure model do not pile up at the ends.
import { decimal } from "./language.js";

const REACH = Math.log(9999); // the line runs from 0.0001 to 0.9999; its ends stand for 0 and 1

export const TICKS = [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999];

/** Score in [0, 1] -> position in [0, 1]. */
export function positionOf(score) {
  if (score <= 0) return 0;
  if (score >= 1) return 1;
  return Math.min(1, Math.max(0, 0.5 + Math.log(score / (1 - score)) / (2 * REACH)));
}

/** Position in [0, 1] -> score in [0, 1], rounded to what is shown. */
export function scoreAt(position) {
  if (position <= 0) return 0;
  if (position >= 1) return 1;
  const score = 1 / (1 + Math.exp(-REACH * (2 * position - 1)));
  return Number(score > 0.9 ? score.toFixed(4) : score.toPrecision(3));
}

/** A score in words: three decimals, more where the value is near 0 or 1. */
export const words = (score) => decimal(plain(score));

function plain(score) {
  if (score > 0 && score < 0.0001) return "< 0.0001";
  if (score > 0 && score < 0.01) return Number(score.toPrecision(2)).toString();
  if (score > 0.9999 && score < 1) return "> 0.9999";
  return score > 0.999 && score < 1 ? score.toFixed(4) : score.toFixed(3);
}
