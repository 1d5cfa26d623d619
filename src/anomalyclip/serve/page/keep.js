// Pictures outlive a reload: their files stay in this browser (IndexedDB) until the list is cleared, and nowhere else.
import { nameOf, named } from "./drop.js";

const NAME = "anomalyclip";
const STORE = "files";
const MOST_BYTES = 300e6; // of all files together; what comes later is not kept

const AT_ONCE = 100; // files in one transaction
const WAIT = 200; // milliseconds in which other tabs answer

let held = 0;
let restored = null;
const begun = new Promise((resolve) => (restored = resolve)); // what is kept later is not brought back as well
const lockOf = (one) => `${NAME}-tab-${one}`;
const channel = new BroadcastChannel(NAME);
const tab = opened(); // two tabs do not clear each other's pictures
channel.addEventListener("message", async ({ data }) => data.asks && channel.postMessage({ open: await tab }));

/** A name for this tab that outlives a reload. A tab that was duplicated brings the other's name along, and takes a new one. */
async function opened() {
  try {
    const known = sessionStorage.getItem(NAME);
    const own = known !== null && !(await isOpen(known)) ? known : crypto.getRandomValues(new Uint32Array(2)).join("-");
    sessionStorage.setItem(NAME, own);
    navigator.locks?.request(lockOf(own), () => new Promise(() => {})); // as long as the tab is open
    return own;
  } catch {
    return ""; // storage is forbidden, and nothing is kept
  }
}

/** Asked twice, for the page that a reload leaves goes late. */
async function isOpen(one) {
  if (!(await others()).has(one)) return false;
  await pause();
  return (await others()).has(one);
}

const pause = () => new Promise((resolve) => setTimeout(resolve, WAIT));

/** Names of the tabs that are open: browsers know by locks, and where these are missing (plain HTTP from another machine) the tabs are asked. */
async function others() {
  if (navigator.locks) {
    const { held: locks } = await navigator.locks.query();
    return new Set(locks.map(({ name }) => name.replace(lockOf(""), "")));
  }
  const found = new Set();
  const hear = ({ data }) => data.open && found.add(data.open);
  channel.addEventListener("message", hear);
  channel.postMessage({ asks: true });
  await pause();
  channel.removeEventListener("message", hear);
  return found;
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
