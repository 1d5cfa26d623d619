// Pictures outlive a reload: their files stay in this browser (IndexedDB) until the list is cleared, and nowhere else.
const NAME = "anomalyclip";
const STORE = "files";
const MOST_BYTES = 300e6; // of all files together; what comes later is not kept

let held = 0;

/** Keep files; gives how many could not be. Browsers that forbid storage keep none. */
export async function keep(files) {
  let left = 0;
  for (const file of files) {
    if (held + file.size > MOST_BYTES) {
      left++;
      continue;
    }
    try {
      await done((store) => store.add({ name: file.name, file }), "readwrite");
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
    const rows = await done((store) => store.getAll());
    held = rows.reduce((sum, { file }) => sum + file.size, 0);
    return rows.map(({ name, file }) => new File([file], name, { type: file.type }));
  } catch {
    return [];
  }
}

/** Forget all of them. */
export async function forget() {
  held = 0;
  await done((store) => store.clear(), "readwrite").catch(() => null);
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
