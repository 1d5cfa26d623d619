// Pictures outlive a reload: their files stay in this browser (IndexedDB) until the list is cleared, and nowhere else.
const NAME = "anomalyclip";
const STORE = "files";
const MOST_BYTES = 300e6; // of all files together; what comes later is not kept

const TAB = tab(); // two tabs do not clear each other's pictures
let held = 0;

function tab() {
  try {
    const known = sessionStorage.getItem(NAME);
    const own = known ?? String(crypto.getRandomValues(new Uint32Array(2)).join("-"));
    sessionStorage.setItem(NAME, own);
    return own;
  } catch {
    return ""; // storage is forbidden, and nothing is kept
  }
}

const lockOf = (one) => `${NAME}-tab-${one}`;
navigator.locks?.request(lockOf(TAB), () => new Promise(() => {})); // as long as the tab is open

/** Whether a row is this tab's, or of one that is closed; where a browser tells no locks, all are. */
async function ownRows() {
  const open = new Set(((await navigator.locks?.query())?.held ?? []).map(({ name }) => name));
  return ({ tab: one }) => one === TAB || !open.has(lockOf(one));
}

/** Keep files; gives how many could not be. Browsers that forbid storage keep none. */
export async function keep(files) {
  let left = 0;
  for (const file of files) {
    if (held + file.size > MOST_BYTES) {
      left++;
      continue;
    }
    try {
      await done((store) => store.add({ name: file.name, file, tab: TAB }), "readwrite");
      held += file.size;
    } catch {
      left++;
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
    return rows.map(({ name, file }) => new File([file], name, { type: file.type }));
  } catch {
    return [];
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
