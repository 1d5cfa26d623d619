// Light or dark: the system's choice until the button is used, then this browser's.
import { say } from "./language.js";
import { remembered } from "./storage.js";

const theme = remembered("anomalyclip-theme");

export function setUpTheme(button) {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const show = () => (button.textContent = say(isDark() ? "Light" : "Dark"));
  const kept = theme.get();
  if (kept) root.dataset.theme = kept;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    theme.set(root.dataset.theme);
    show();
  });
  dark.addEventListener("change", show);
  show();
  return show;
}
