// Corrections: a picture, or one region of it, is a false alarm or really faulty. The profile learns; all pictures are judged anew.
import * as api from "./api.js";
import { count, decimal, say } from "./language.js";
import { remember } from "./looking.js";
import { choose, unlessChanged, who } from "./profiles.js";
import { save } from "./save.js";
import { change, changeOf, onChange, saidOf, state } from "./state.js";
import { remembered } from "./storage.js";
import { write } from "./write.js";

const by = remembered("anomalyclip-by");
const BUTTONS = { "say-alarm": "false alarm", "say-faulty": "faulty" };
const $ = (id) => document.getElementById(id);
let report = null;
let busy = false;

export function setUpCorrecting(told) {
  report = told;
  for (const [id, said] of Object.entries(BUTTONS)) $(id).addEventListener("click", () => correct(said));
  $("undo").addEventListener("click", undo);
  $("journal-csv").addEventListener("click", () => journal("csv", "text/csv", "corrections.csv"));
  $("journal-coco").addEventListener("click", () => journal("coco", "application/json", "corrections.json"));
  $("by").value = by.get() ?? "";
  $("by").addEventListener("change", () => by.set($("by").value));
  onChange(draw);
}

/** Say something of the selected picture; for the buttons and the keys. */
export function correct(said) {
  const item = state.selected;
  if (!ready(item)) return;
  const { name } = state.profile;
  const region = $("correct-part").value === "region" ? chosen(item) : null;
  run(async () => {
    const options = { said, by: who(), ...(region ? { region: region.box.join() } : {}) };
    const answer = await unlessChanged(name, (revision) => api.correct(name, item.file, { ...options, revision }));
    remember();
    await choose(name);
    const [{ score_before: before, score_after: after }] = answer.pictures;
    report(() => say("{picture}: {before} → {after}. The profile {name} learned it; all pictures are judged anew.", {
      picture: item.name, before: decimal(before.toFixed(3)), after: decimal(after?.toFixed(3) ?? "–"), name,
    }));
  });
}

function undo() {
  const { name, corrections } = state.profile;
  const number = corrections.numbers.at(-1);
  run(async () => {
    await unlessChanged(name, (revision) => api.undo(name, number, { by: who(), revision }));
    remember();
    await choose(name);
    report(() => say("Correction {number} is taken back.", { number }));
  });
}

async function run(work) {
  if (busy) return;
  busy = true;
  change();
  try {
    await work();
  } catch (error) {
    report(() => error.message);
  } finally {
    busy = false;
    change();
  }
}

async function journal(form, type, file) {
  try {
    save(await api.journal(state.profile.name, form), type, file);
  } catch (error) {
    report(() => error.message);
  }
}

const ready = (item) => state.profile !== null && item?.status === "done" && !busy;
const chosen = (item) => (state.beside?.item === item ? state.beside.region : null);

function draw() {
  const item = state.selected;
  const profile = state.profile;
  write($("correct-hint"), { hidden: profile !== null });
  write($("correct-row"), { hidden: profile === null });
  if (profile === null) return;
  const said = item ? saidOf(item) : null;
  for (const [id, what] of Object.entries(BUTTONS)) {
    write($(id), { disabled: !ready(item), "aria-pressed": String(said === what) });
  }
  const region = item ? chosen(item) : null;
  write($("correct-region"), { disabled: region === null });
  if (region === null) write($("correct-part"), { value: "" });
  const { false_alarms: alarms, regions, faulty, numbers } = profile.corrections;
  const held = [
    count(alarms, "{n} false alarm", "{n} false alarms"), count(regions, "{n} region", "{n} regions"), count(faulty, "{n} faulty", "{n} faulty"),
  ];
  write($("held"), { textContent: held.join(", ") });
  write($("undo"), { hidden: numbers.length === 0, disabled: busy });
  write($("journal"), { hidden: state.corrections.length === 0 });
  const textContent = changes();
  write($("changed"), { textContent, hidden: textContent === "" });
}

/** What the last correction changed, of all pictures that are judged again by now. */
function changes() {
  const compared = state.items.filter((item) => item.before && item.status === "done");
  if (!compared.length) return "";
  const waiting = state.items.filter((item) => item.before && item.status !== "done").length;
  const to = (was) => compared.filter((item) => changeOf(item) === was).length;
  const [cleared, flagged] = [to("anomalous"), to("normal")];
  const words = say("Of {all} pictures {cleared} went from anomalous to normal, {flagged} from normal to anomalous.", {
    all: compared.length, cleared, flagged,
  });
  return waiting ? `${words} ${count(waiting, "{n} is still being judged.", "{n} are still being judged.")}` : words;
}
