// The server's paths, as functions. Waits where it is busy, asks for the key where it wants one.
import { nameOf } from "./drop.js";
import { Problem, say } from "./language.js";

const PATIENCE = 40; // times that a busy server is asked again
let key = "";

export class ServerError extends Problem {
  constructor(status, kind, make) {
    super(make);
    this.status = status;
    this.kind = kind;
  }
}

/** Score one file, by a profile's memory if one is named; gives its row, with a float16 TIFF map and a JPEG preview. */
export async function detect(file, side, profile) {
  const query = new URLSearchParams({ maps: "tiff16", map_side: side, preview: side, ...(profile ? { profile } : {}) });
  return (await send(`v1/detect?${query}`, [file])).results[0];
}

/** Add normal images to a profile of this page's making; `append` keeps those of earlier calls. */
export const calibrate = (files, options) => send(`v1/calibrate?${new URLSearchParams(options)}`, files);

export const models = () => ask("v1/models");
export const profiles = () => ask("v1/profiles");
/** The file of a profile; `memory` carries its good pictures' features, too, for saving. */
export const profile = (name, memory = false) => ask(`v1/profiles/${encodeURIComponent(name)}?memory=${memory}`);

/** Bring a saved profile back. */
export const bring = (text) => ask("v1/profiles", { method: "POST", body: text, headers: { "content-type": "application/json" } });

/** A good picture that a profile remembers, as a blob. */
export const goodPicture = (name, number) => ask(`v1/profiles/${encodeURIComponent(name)}/pictures/${number}`, {}, 0, (response) => response.blob());

/** Correct a profile by one picture; its scores before and after. */
export const correct = (name, file, options) => send(`${at(name)}/corrections?${new URLSearchParams(options)}`, [file]);

/** Have faults painted on good pictures of a profile, which learns what it finds. */
export const selfTest = (name, files) => send(`${at(name)}/self-test`, files);

export const undo = (name, number, options) => ask(`${at(name)}/corrections/${number}?${new URLSearchParams(options)}`, { method: "DELETE" });
export const corrections = (name) => ask(`${at(name)}/corrections`);
/** The journal as text: csv or coco. */
export const journal = (name, form) => ask(`${at(name)}/corrections?form=${form}`, {}, 0, (response) => response.text());
export const keepThresholds = (name, options) => ask(`${at(name)}/thresholds?${new URLSearchParams(options)}`, { method: "POST" });

/** A part of a picture at its own pixels, as a blob. */
export function part(file, box, side, frame, profile) {
  const query = new URLSearchParams({ box, side, ...(frame === null ? {} : { frame }), ...(profile ? { profile } : {}) });
  return send(`v1/part?${query}`, [file], (response) => response.blob());
}

/** `report.html` of rows with small pictures, as a blob. */
export const reportOf = (content) =>
  ask("v1/report", { method: "POST", body: JSON.stringify(content), headers: { "content-type": "application/json" } }, 0, (response) => response.blob());

/** Rows of a watch as they come; ends where the server ends the stream, or `signal` does. */
export function follow(signal, use) {
  return ask("v1/live", { signal }, 0, async (response) => {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = event.split("\n").find((line) => line.startsWith("data: "));
        if (data) use(JSON.parse(data.slice(6)));
      }
    }
  });
}

export const liveOverlay = (name) => ask(`v1/live/overlays/${encodeURIComponent(name)}`, {}, 0, (response) => response.blob());

const at = (name) => `v1/profiles/${encodeURIComponent(name)}`;

function send(path, files, read) {
  const body = new FormData();
  for (const file of files) body.append("files", file, nameOf(file));
  return ask(path, { method: "POST", body }, 0, read);
}

async function ask(path, options = {}, tries = 0, read = (response) => response.json()) {
  const used = key;
  const headers = { ...options.headers, ...(used ? { "X-API-Key": used } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new ServerError(0, "unreachable", () => say("The server does not answer. Is it still running?"));
  }
  if (response.ok) return read(response);
  if (response.status === 429 && tries < PATIENCE) {
    const seconds = Number(response.headers.get("retry-after")) || 1;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds * (0.7 + 0.6 * Math.random())));
    return ask(path, options, tries + 1, read);
  }
  if (response.status === 401 && (key !== used || (await askForKey(used !== "")))) return ask(path, options, tries, read);
  const { error } = await response.json().catch(() => ({ error: {} }));
  throw new ServerError(response.status, error.kind ?? "failed", () => error.message ?? say("The server answered {status}.", { status: response.status }));
}

let asking = null;

/** One dialog for all requests that wait for a key; false where the person closes it. wrong: the server refused one. */
function askForKey(wrong) {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("key-dialog");
    document.getElementById("key-wrong").hidden = !wrong;
    dialog.returnValue = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      key = document.getElementById("key").value.trim();
      asking = null;
      resolve(dialog.returnValue === "use" && key !== "");
    }, { once: true });
  });
  return asking;
}
