// Pictures outlive a reload: their files stay in this browser (IndexedDB) until the list is cleared, and nowhere else.
import { nameOf, named } from "./drop.js";

const NAME = "anomalyclip";
const STORE = "files";
const MOST_BYTES = 300e6; // of all files together; what comes later is not kept

const AT_ONCE = 100; // files in one transaction
const WAIT = 200; // milliseconds that the page which a reload leaves may take to go
const BEAT = 10_000; // milliseconds between two signs of life
const SILENT = 150_000; // a tab is closed that gave none for so long: in the background timers run once a minute

const lockOf = (one) => `${NAME}-tab-${one}`;
const tab = opened(); // two tabs do not clear each other's pictures
let held = 0;
let restored = null;
const begun = new Promise((resolve) => (restored = resolve)); // what is kept later is not brought back as well

/** A name for this tab that outlives a reload. A tab that was duplicated brings the other's name along, and takes a new one. */
async function opened() {
  try {
    const known = sessionStorage.getItem(NAME);
    const own = known !== null && !(await isOpen(known)) ? known : crypto.getRandomValues(new Uint32Array(2)).join("-");
    sessionStorage.setItem(NAME, own);
    if (navigator.locks) navigator.locks.request(lockOf(own), () => new Promise(() => {})); // as long as the tab is open
    else live(own);
    return own;
  } catch {
    return ""; // storage is forbidden, and nothing is kept
  }
}

/** Signs of life in the browser's storage, where it knows no locks: over plain HTTP from another machine. */
function live(own) {
  const beat = () => localStorage.setItem(lockOf(own), Date.now());
  beat();
  setInterval(beat, BEAT);
  addEventListener("pageshow", beat);
  addEventListener("pagehide", () => localStorage.removeItem(lockOf(own)));
}

/** Asked twice, for the page that a reload leaves goes late. */
async function isOpen(one) {
  if (!(await others()).has(one)) return false;
  await new Promise((resolve) => setTimeout(resolve, WAIT));
  return (await others()).has(one);
}

/** Names of the tabs that are open. */
async function others() {
  const locks = navigator.locks
    ? (await navigator.locks.query()).held.map(({ name }) => name)
    : Object.keys(localStorage).filter((name) => Date.now() - Number(localStorage.getItem(name)) < SILENT);
  return new Set(locks.filter((name) => name.startsWith(lockOf(""))).map((name) => name.slice(lockOf("").length)));
}

/** Whether a row is this tab's, or of one that is closed. */
async function ownRows() {
  const own = await tab;
  const open = await others();
  return ({ tab: one }) => one === own || !open.has(one);
}

/** Keep files; gives how many could not be. Browsers that forbid storage keep none. */
export async function keep(files) {
  const own = await tab;
  await begun;
  const fit = files.filter((file) => held + file.size <= MOST_BYTES && ((held += file.size), true));
  let left = files.length - fit.length;
  for (let from = 0; from < fit.length; from += AT_ONCE) {
    const some = fit.slice(from, from + AT_ONCE);
    try {
      await done((store) => some.map((file) => store.add({ name: file.name, path: nameOf(file), file, tab: own })).at(-1), "readwrite");
    } catch {
      left += some.length;
      for (const file of some) held -= file.size;
    }
  }
  return left;
}

/** The files that were kept, in the order they came. */
export async function kept() {
  try {
    const isOwn = await ownRows();
    const rows = (await done((store) => store.getAll())).filter(isOwn);
    held = rows.reduce((sum, { file }) => sum + file.size, 0);
    return rows.map(({ name, path, file }) => named(new File([file], name, { type: file.type }), path ?? name));
  } catch {
    return [];
  } finally {
    restored();
  }
}

/** Forget all of them; those of other tabs that are open stay. */
export async function forget() {
  held = 0;
  try {
    const isOwn = await ownRows();
    await done((store) => {
      const request = store.openCursor();
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return;
        if (isOwn(cursor.value)) cursor.delete();
        cursor.continue();
      };
      return request;
    }, "readwrite");
  } catch { /* storage is forbidden, and nothing is kept */ }
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
}

async function done(act, mode = "readonly") {
  const base = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = base.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    base.close();
  }
}
