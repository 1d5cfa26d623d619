// The language of the page. English stands in the files; others lie in `languages/`, one file each, by the English words.
import { remembered } from "./storage.js";

const chosen = remembered("anomalyclip-language");
const MARKED = ["aria-label", "title", "placeholder", "alt"];
const english = new WeakMap(); // text node or element -> its words in English
let table = {};
let written = new Intl.NumberFormat("en"); // made once, for it takes longer than to write a number
let point = "."; // that the language writes before decimals

/** The words in the chosen language; {name} stands for a value. */
export const say = (text, values = {}) => (table[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** One or many: {n} is the number. */
export const count = (n, one, many, values = {}) => say(n === 1 ? one : many, { n: number(n), ...values });

export const number = (value) => written.format(value);

/** A number that was written with a decimal point, in the language's own way: 0,5. */
export const decimal = (text) => text.replace(".", point);

const told = new Map(); // element -> what makes its words

/** Give an element words that follow the language: `make` gives them now, and again in another one. */
export function tell(element, make) {
  told.set(element, make);
  element.textContent = make();
}

/** What went wrong, in the language that is spoken when it is read. */
export class Problem extends Error {
  constructor(make) {
    super();
    Object.defineProperty(this, "message", { get: make });
  }
}

/** Offer the languages that the server has, and speak the one that was chosen, else the browser's. */
export async function setUpLanguage(select, changed) {
  const others = await fetch("languages").then((answer) => answer.json()).catch(() => []);
  select.replaceChildren(new Option("English", "en"), ...others.map(({ code: one, name }) => new Option(name, one)));
  select.addEventListener("change", async () => {
    await speak(select.value);
    chosen.set(select.value);
    changed();
  });
  const wished = [chosen.get(), ...navigator.languages].map((one) => one?.slice(0, 2)).find((one) => one === "en" || others.some((other) => other.code === one));
  select.value = wished ?? "en";
  if (select.value !== "en") await speak(select.value);
}

async function speak(language) {
  const words = language === "en" ? {} : await fetch(`page/languages/${language}.json`).then((answer) => answer.json());
  [table, written] = [words, new Intl.NumberFormat(language)];
  point = written.formatToParts(0.5).find(({ type }) => type === "decimal").value;
  document.documentElement.lang = language;
  translate(document.documentElement);
  for (const [element, make] of told) {
    if (element.isConnected) element.textContent = make();
    else told.delete(element);
  }
}

/** What stands in the page's HTML. */
function translate(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) ofText(node);
    else for (const name of MARKED) if (node.hasAttribute(name)) ofAttribute(node, name);
  }
}

function ofText(node) {
  const [, before, words, after] = /^(\s*)([\s\S]*?)(\s*)$/.exec(english.get(node) ?? node.data);
  const key = words.replace(/\s+/g, " ");
  if (!english.has(node)) {
    if (!(key in table)) return; // no words of the page's own
    english.set(node, node.data);
  }
  node.data = before + say(key) + after;
}

function ofAttribute(element, name) {
  const kept = english.get(element) ?? {};
  const key = kept[name] ?? element.getAttribute(name);
  if (!(name in kept)) {
    if (!(key in table)) return;
    english.set(element, { ...kept, [name]: key });
  }
  element.setAttribute(name, say(key));
}
