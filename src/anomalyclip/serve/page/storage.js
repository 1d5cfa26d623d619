// Words that outlive a reload. Where a browser forbids storage they last as long as the page.

/** What is remembered under a name: by this browser, or by "sessionStorage" for this tab alone. `get` gives null where nothing is known. */
export const remembered = (name, store = "localStorage") => ({
  get() {
    try {
      return window[store].getItem(name);
    } catch {
      return null;
    }
  },
  set(word) {
    try {
      window[store].setItem(name, word);
    } catch { /* forbidden, or full */ }
  },
});
