"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const gallery = byId("gallery");
  const cards = [...gallery.children];
  const root = document.documentElement;

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
  const visible = () => [...gallery.children].filter((card) => !card.hidden);
  const show = () => {
    const pressed = filters.find((button) => button.getAttribute("aria-pressed") === "true");
    const decision = pressed ? pressed.dataset.filter : "";
    const part = byId("find").value.toLowerCase();
    for (const card of cards) {
      card.hidden = (decision && card.dataset.decision !== decision) || !card.dataset.name.toLowerCase().includes(part);
    }
    byId("shown").textContent = `${visible().length} of ${cards.length} shown`;
  };
  byId("sort").addEventListener("change", (event) => gallery.append(...cards.sort(orders[event.target.value])));
  byId("find").addEventListener("input", show);
  for (const button of filters) {
    button.addEventListener("click", () => {
      for (const other of filters) other.setAttribute("aria-pressed", String(other === button));
      show();
    });
  }
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = cards.length === 0;
  show();

  // Enlarge: Enter or click opens, arrows step, Escape closes.
  const viewer = byId("viewer");
  let current = null;
  const open = (card) => {
    current = card;
    const sources = card.querySelectorAll(".pictures img");
    viewer.querySelectorAll(".large img").forEach((image, i) => { image.src = sources[i].src; });
    viewer.querySelector("p").textContent = `${card.dataset.name}  ·  ${score(card).toFixed(3)}  ${card.dataset.decision}`;
    if (!viewer.open) viewer.showModal();
  };
  const step = (by) => {
    const list = visible().filter((card) => card.querySelector(".pictures"));
    const next = list[list.indexOf(current) + by];
    if (next) open(next);
  };
  gallery.addEventListener("click", (event) => {
    const pictures = event.target.closest(".pictures");
    if (pictures) open(pictures.closest("article"));
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close();
    if (event.target.dataset.step) step(Number(event.target.dataset.step));
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    if (event.key === "ArrowLeft") step(-1);
  });
  viewer.addEventListener("close", () => { const button = current && current.querySelector(".pictures"); if (button) button.focus(); });
})();
