// Drop zones and file choosers: both give a list of files, which keep the path below the folder that was dropped.
const paths = new WeakMap(); // file -> its path below what was dropped

/** What a file is called here: two folders may hold files of one name. */
export const nameOf = (file) => paths.get(file) ?? (file.webkitRelativePath || file.name);

/** A file that is called by a path. */
export function named(file, path) {
  if (path !== file.name) paths.set(file, path);
  return file;
}

/** zone takes dropped files and folders, button opens the chooser `input`; use(files) gets them. */
export function takeFiles(zone, button, input, use) {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    use([...input.files]);
    input.value = ""; // the same file may be chosen again
  });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.stopPropagation();
    zone.dataset.over = "";
  });
  zone.addEventListener("dragleave", () => delete zone.dataset.over);
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    delete zone.dataset.over;
    use(await dropped(event.dataTransfer));
  });
}

/** Files that were dropped, those inside dropped folders too. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  return (await Promise.all(entries.map(filesBelow))).flat();
}

async function filesBelow(entry) {
  if (entry.isFile) return [named(await new Promise((resolve, reject) => entry.file(resolve, reject)), entry.fullPath.slice(1))];
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader gives a hundred entries at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    for (const child of some) if (!child.name.startsWith(".")) found.push(...(await filesBelow(child)));
  }
  return found;
}
