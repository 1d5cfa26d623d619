"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const gallery = byId("gallery");
  let current = null; // the card that is enlarged
  const cards = [...gallery.children];
  for (const card of cards) card.classList.remove("later");
  const root = document.documentElement;

  // All but the first cards have their inside as text behind this script, and are unfolded near the view, so that
  // thousands of pictures open at once. One that the browser has not read yet comes when it has.
  const FAR = 900; // pixels beyond the view
  const SOME = 24; // cards that are laid out, shown and left out together, whole lines of them at 1 to 4 columns
  const GAP = 14; // pixels between cards, as in the style
  const MOST_PRINTED = 500;
  const isOpen = (card) => card.childElementCount > 0;
  const opened = new Set(); // cards that were unfolded
  const awaited = new Map(); // inside's id -> the card that waits for it
  const insideOf = (card) => {
    const inside = byId(`inside-${card.dataset.inside}`);
    return inside && (inside.nextElementSibling || document.readyState !== "loading") ? inside : null; // whole
  };
  const unfold = (card) => {
    if (isOpen(card)) return;
    const inside = insideOf(card);
    if (!inside) return awaited.set(`inside-${card.dataset.inside}`, card);
    awaited.delete(inside.id);
    card.insertAdjacentHTML("afterbegin", inside.textContent);
    opened.add(card);
    showBadge(card);
  };
  const fold = (card) => {
    if (!card.dataset.inside || card.contains(document.activeElement)) return;
    awaited.delete(`inside-${card.dataset.inside}`);
    opened.delete(card);
    card.replaceChildren(); // its part keeps its height, see contain-intrinsic-height
  };
  const arriving = new MutationObserver(() => { for (const card of [...awaited.values()]) unfold(card); });
  arriving.observe(document.body, { childList: true });
  addEventListener("DOMContentLoaded", () => {
    arriving.disconnect();
    for (const card of [...awaited.values()]) unfold(card);
    show();
  });
  const BUDGET = 6; // milliseconds of a frame: whoever scrolls past thousands of pictures waits for none of them
  const due = new Set();
  const unfoldSome = () => {
    const end = performance.now() + BUDGET;
    for (const card of due) {
      due.delete(card);
      unfold(card);
      if (performance.now() > end) break;
    }
    if (due.size) requestAnimationFrame(unfoldSome);
  };
  const unfoldLater = (some) => {
    if (!due.size) requestAnimationFrame(unfoldSome);
    for (const card of some) due.add(card);
  };

  // Cards stand in parts, which the browser lays out when they come into view. Whoever flies past sees names; pictures
  // come where they rest.
  const FLIGHT = 1 / 3; // of the view, scrolled in one step
  const REST = 90; // milliseconds without a step
  const near = new Set(); // parts in view and a little beyond
  let [before, flying, resting] = [0, false, 0];
  const rest = () => {
    flying = false;
    for (const card of [...opened]) if (!near.has(card.parentElement)) fold(card);
    unfoldLater([...near].flatMap((part) => [...part.children]).filter((card) => !isOpen(card)));
  };
  addEventListener("scroll", () => {
    flying = Math.abs(scrollY - before) > FLIGHT * innerHeight;
    before = scrollY;
    if (flying) due.clear();
    clearTimeout(resting);
    resting = setTimeout(rest, REST);
  }, { passive: true });
  const watching = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      if (isIntersecting) near.add(target);
      else near.delete(target);
    }
    if (!flying) rest();
  }, { rootMargin: `${FAR}px 0px` });
  const parts = Array.from({ length: Math.ceil(cards.length / SOME) }, () => Object.assign(document.createElement("div"), { className: "part" }));
  let placed = []; // cards in the order they stand
  const put = (wanted) => {
    if (wanted.length === placed.length && wanted.every((card, at) => card === placed[at])) return;
    placed = wanted;
    const used = parts.slice(0, Math.ceil(wanted.length / SOME));
    for (const [at, part] of used.entries()) part.replaceChildren(...wanted.slice(at * SOME, (at + 1) * SOME));
    gallery.replaceChildren(...used);
    if (!flying) rest();
  };
  /** How high a card is, and thus a part that was not laid out yet. */
  const measure = () => {
    if (!placed.length || gallery.querySelector(".pairs[open]")) return;
    gallery.style.removeProperty("--card");
    const lines = SOME / getComputedStyle(parts[0]).gridTemplateColumns.split(" ").length;
    const high = Math.min(...placed.slice(0, SOME).filter(isOpen).map((card) => card.getBoundingClientRect().height), 600);
    gallery.style.setProperty("--card", `${Math.round(high)}px`);
    gallery.style.setProperty("--part", `${Math.round(Math.ceil(lines) * (high + GAP) - GAP)}px`);
  };
  const showBadge = (card) => {
    const decision = card.dataset.decision;
    let badge = card.querySelector(".badge");
    if (!badge && decision) { badge = document.createElement("span"); card.querySelector(".score").append(badge); }
    if (badge) Object.assign(badge, { className: `badge ${decision}`, textContent: decision });
  };

  // Theme: the system's choice until the button is used; file:// pages may have no storage.
  const theme = byId("theme");
  const stored = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
                   set: (value) => { try { localStorage.setItem("theme", value); } catch { /* stays for this visit */ } } };
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const showTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  if (["dark", "light"].includes(stored.get())) root.dataset.theme = stored.get();
  theme.hidden = false;
  showTheme();
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; stored.set(root.dataset.theme); showTheme(); });

  // Sort, filter, find.
  const controls = byId("controls");
  const filters = [...document.querySelectorAll("[data-filter]")];
  const score = (card) => Number(card.dataset.score);
  const orders = {
    high: (a, b) => score(b) - score(a),
    low: (a, b) => score(a) - score(b),
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true }),
  };
  const show = () => {
    const pressed = filters.find((button) => button.getAttribute("aria-pressed") === "true");
    const decision = pressed ? pressed.dataset.filter : "";
    const part = byId("find").value.toLowerCase();
    put(cards.filter((card) => (!decision || card.dataset.decision === decision) && card.dataset.name.toLowerCase().includes(part)));
    const left = placed.length;
    const coming = document.readyState === "loading" && cards.some((card) => card.dataset.inside) ? ", pictures are still coming" : "";
    byId("shown").textContent = `${left} of ${cards.length} shown${coming}`;
    byId("none").hidden = left > 0 || cards.length === 0;
  };
  byId("sort").addEventListener("change", () => {
    cards.sort(orders[byId("sort").value]);
    show();
  });
  byId("find").addEventListener("input", show);
  for (const button of filters) {
    button.addEventListener("click", () => {
      for (const other of filters) other.setAttribute("aria-pressed", String(other === button));
      show();
    });
  }
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = !cards.length;
  show();

  // Another threshold, tried: counts of all scores, decisions of the cards, the chart. Positions are log odds.
  const REACH = Math.log(9999);
  const scores = JSON.parse(byId("scores").textContent), cut = byId("cut");
  const decided = { at: cut.value, words: byId("said-threshold").textContent }, bars = [...document.querySelectorAll("rect")];
  const total = bars.reduce((sum, bar) => sum + Number(bar.dataset.n), 0);
  const mark = document.querySelector(".histogram svg line");
  const scoreAt = (at) => (at <= 0 ? 0 : at >= 1 ? 1.000001 : 1 / (1 + Math.exp(-REACH * (2 * at - 1))));
  const firstFrom = (value) => { // of ascending scores
    let [low, high] = [0, scores.length];
    while (low < high) { const middle = (low + high) >> 1; if (scores[middle] < value) low = middle + 1; else high = middle; }
    return low;
  };
  const centre = (bar) => (Number(bar.getAttribute("x")) + Number(bar.getAttribute("width")) / 2) / 500;
  const tile = (kind, n) => { const b = document.querySelector(`.tile.${kind} b`); if (b) b.textContent = n.toLocaleString("en"); };
  const original = new Map(cards.map((card) => [card, card.dataset.decision])); // cards are sorted in their place
  const decide = (at) => {
    const threshold = scoreAt(at);
    for (const bar of bars) bar.setAttribute("class", centre(bar) >= at ? "above" : "below");
    const counted = scores.length === total;
    const above = counted ? scores.length - firstFrom(threshold) : bars.reduce((sum, bar) => sum + (centre(bar) >= at ? Number(bar.dataset.n) : 0), 0);
    if (mark) for (const end of ["x1", "x2"]) mark.setAttribute(end, 500 * at);
    tile("anomalous", above);
    tile("normal", total - above);
    byId("counts").textContent = `${threshold > 1 ? "none" : threshold.toPrecision(3)}: ${counted ? "" : "about "}${above} anomalous, ${total - above} normal`;
    for (const card of cards) judge(card, score(card) >= threshold ? "anomalous" : "normal");
  };
  const judge = (card, decision) => {
    card.dataset.decision = decision;
    if (isOpen(card)) showBadge(card);
  };
  cut.parentElement.hidden = total === 0;
  cut.addEventListener("input", () => { decide(Number(cut.value)); byId("back").hidden = false; byId("said-threshold").textContent = ""; show(); });
  byId("back").addEventListener("click", () => {
    cut.value = decided.at;
    if (decided.words) decide(Number(decided.at));
    for (const [card, decision] of original) judge(card, decision);
    byId("said-threshold").textContent = decided.words;
    byId("counts").textContent = "";
    byId("back").hidden = true;
    show();
  });

  // Corrections: said here of pictures and of regions (NAME#region=2), kept in this browser, carried out by a command.
  const KEY = `said ${location.pathname}`;
  const said = new Map();
  try { for (const [name, what] of JSON.parse(localStorage.getItem(KEY) || "[]")) said.set(name, what); } catch { /* for this visit */ }
  const part = byId("part");
  const meant = () => current.dataset.name + part.value;
  const list = (what) => [...said].filter(([, one]) => one === what).map(([name]) => name);
  const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  const showSaid = () => {
    for (const card of cards) delete card.dataset.told;
    for (const [name, what] of said) {
      const card = byName.get(name.replace(/#region=\d+$/, "")) || byName.get(name);
      const region = card && card.dataset.name !== name ? `, region ${name.split("=").pop()}` : "";
      const words = `said: ${what === "normal" ? "false alarm" : "really faulty"}${region}`;
      if (card) card.dataset.told = [card.dataset.told, words].filter(Boolean).join("; ");
    }
    const words = ["normal", "faulty"].map((what) => (list(what).length ? ` --${what} ${list(what).map(quoted).join(" ")}` : "")).join("");
    const here = location.protocol === "file:" ? decodeURIComponent(location.pathname).replace(/\/[^/]*$/, "") : "RESULTS_DIR";
    byId("command").textContent = `anomalyclip correct ${quoted(here || ".")} --profile line.json${words}`;
    byId("said").hidden = said.size === 0;
    for (const button of document.querySelectorAll("button[data-said]")) {
      button.setAttribute("aria-pressed", String(current !== null && said.get(meant()) === button.dataset.said));
    }
    try { localStorage.setItem(KEY, JSON.stringify([...said])); } catch { /* for this visit */ }
  };
  const byName = new Map(cards.map((card) => [card.dataset.name, card]));
  const offerParts = (card) => {
    const regions = Array.from({ length: Number(card.dataset.regions) }, (_, i) => new Option(`region ${i + 1}`, `#region=${i + 1}`));
    part.replaceChildren(new Option("the whole picture", ""), ...regions);
  };
  const shownLarge = [...document.querySelectorAll(".large img")];
  /** A frame around the region that is chosen, in both pictures. */
  const showFrame = () => {
    const box = current?.dataset.boxes.split(";")[Number(part.value.split("=")[1]) - 1];
    for (const [at, frame] of document.querySelectorAll(".large i").entries()) {
      frame.hidden = !box;
      if (!box) continue;
      const { naturalWidth, naturalHeight, offsetLeft, offsetTop, offsetWidth, offsetHeight } = shownLarge[at];
      const scale = Math.min(offsetWidth / naturalWidth, offsetHeight / naturalHeight); // object-fit: contain
      const [wide, high] = [naturalWidth, naturalHeight].map((side) => scale * side);
      const [x, y, width, height] = box.split(",").map((share) => share / 100);
      const [left, top] = [offsetLeft + (offsetWidth - wide) / 2 + x * wide, offsetTop + (offsetHeight - high) / 2 + y * high];
      Object.assign(frame.style, { left: `${left}px`, top: `${top}px`, width: `${width * wide}px`, height: `${height * high}px` });
    }
  };
  for (const image of shownLarge) image.addEventListener("load", showFrame);
  addEventListener("resize", () => { measure(); showFrame(); });
  part.addEventListener("change", () => { showSaid(); showFrame(); });
  byId("copy").addEventListener("click", () => {
    const range = document.createRange();
    range.selectNodeContents(byId("command"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy"); // works on file:// pages, too
  });
  byId("export").addEventListener("click", () => {
    const content = JSON.stringify({ format: "anomalyclip-said", normal: list("normal"), faulty: list("faulty") }, null, 1);
    const link = document.createElement("a");
    Object.assign(link, { href: URL.createObjectURL(new Blob([content], { type: "application/json" })), download: "said.json" }).click();
  });
  byId("unsay").addEventListener("click", () => { said.clear(); showSaid(); });

  // Enlarge: Enter or click opens, arrows step, Escape closes.
  const viewer = byId("viewer");
  const open = (card) => {
    current = card;
    unfold(card);
    offerParts(card);
    const sources = card.querySelectorAll(".pictures img");
    shownLarge.forEach((image, i) => { image.src = sources[i].src; });
    viewer.querySelector("p").textContent = `${card.dataset.name}  ·  ${score(card).toFixed(3)}  ${card.dataset.decision}`;
    if (!viewer.open) viewer.showModal();
    showFrame();
    showSaid();
  };
  const step = (by) => {
    for (let at = placed.indexOf(current) + by; placed[at]; at += by) {
      unfold(placed[at]);
      if (!isOpen(placed[at])) return; // not read yet
      if (placed[at].querySelector(".pictures")) return open(placed[at]);
    }
  };
  gallery.addEventListener("click", (event) => {
    const pictures = event.target.closest(".pictures");
    if (pictures) open(pictures.closest("article"));
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close();
    if (event.target.dataset.step) step(Number(event.target.dataset.step));
    const what = event.target.dataset.said;
    if (what) { if (said.get(meant()) === what) said.delete(meant()); else said.set(meant(), what); showSaid(); }
  });
  viewer.addEventListener("keydown", ({ key }) => {
    if (key === "ArrowRight" || key === "ArrowLeft") step(key === "ArrowRight" ? 1 : -1);
  });
  showSaid();
  measure();
  for (const part of parts) watching.observe(part);
  addEventListener("beforeprint", () => {
    placed.slice(0, MOST_PRINTED).forEach(unfold);
    byId("printed").textContent = placed.length > MOST_PRINTED ? `The first ${MOST_PRINTED} of ${placed.length} pictures that were shown.` : "";
  });
  viewer.addEventListener("close", () => { const button = current && current.querySelector(".pictures"); if (button) button.focus(); });
})();
