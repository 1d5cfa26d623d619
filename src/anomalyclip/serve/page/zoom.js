// Zoom and pan: both panes show the same part of the picture. Wheel, pinch, drag, double click; keys + - 0.
import { state } from "./state.js";

const MOST = 16; // times what the preview shows, and of large pictures until a pixel is four wide
const view = state.zoom; // x, y: shift in shares of a pane's width and height
const told = [];
let panes = [];

/** Call `view` with the scale whenever it, or the part that is shown, changes. */
export const onZoom = (view) => told.push(view);

export function setUpZoom(canvases) {
  panes = canvases;
  const pointers = new Map();
  let dragged = false; // since the pointer went down: the click that ends a drag chooses nothing
  for (const canvas of canvases) {
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoomAt(canvas, event, Math.exp(-event.deltaY / 400));
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => (view.scale > 1 ? reset() : zoomAt(canvas, event, 3)));
    canvas.addEventListener("pointerdown", (event) => {
      dragged = false;
      pointers.set(event.pointerId, event);
    });
    canvas.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const others = [...pointers.values()].filter((one) => one.pointerId !== event.pointerId);
      if (others.length === 1) pinch(canvas, others[0], last, event);
      else if (view.scale > 1) {
        canvas.setPointerCapture(event.pointerId);
        drag(canvas, last, event, 1);
        dragged = true;
      }
      pointers.set(event.pointerId, event);
    });
    canvas.addEventListener("click", (event) => dragged && event.stopImmediatePropagation());
    // Two fingers are ours also where one finger scrolls the page.
    canvas.addEventListener("touchmove", (event) => event.cancelable && event.touches.length > 1 && event.preventDefault(), { passive: false });
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
}

/** One of two fingers moved: what lies between them stays there. */
function pinch(canvas, other, last, now) {
  const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  const between = { clientX: (last.clientX + other.clientX) / 2, clientY: (last.clientY + other.clientY) / 2 };
  zoomAt(canvas, between, apart(now) / Math.max(1, apart(last)));
  drag(canvas, last, now, 1 / 2);
}

const drag = (canvas, last, now, share) =>
  move((share * (now.clientX - last.clientX)) / canvas.clientWidth, (share * (now.clientY - last.clientY)) / canvas.clientHeight);

/** Zoom about the middle, for keys. */
export function zoomBy(factor) {
  const box = panes[1].getBoundingClientRect();
  zoomAt(panes[1], { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 }, factor);
}

export const isZoomed = () => view.scale > 1;

/** Shift the part that is shown, in shares of a pane. */
export function move(x, y) {
  Object.assign(view, { x: view.x + x, y: view.y + y });
  show();
}

export function reset() {
  Object.assign(view, { scale: 1, x: 0, y: 0 });
  show();
}

function most(canvas) {
  const width = state.selected?.row?.width ?? 0;
  return Math.max(MOST, (4 * width) / Math.max(1, canvas.clientWidth));
}

function zoomAt(canvas, { clientX, clientY }, factor) {
  const box = canvas.getBoundingClientRect(); // as it is shifted and enlarged now
  const scale = Math.min(most(canvas), Math.max(1, view.scale * factor));
  const grown = scale / view.scale;
  const [u, v] = [(clientX - box.left) / canvas.clientWidth, (clientY - box.top) / canvas.clientHeight];
  Object.assign(view, { scale, x: view.x + u * (1 - grown), y: view.y + v * (1 - grown) });
  show();
}

function show() {
  const least = 1 - view.scale; // the picture always fills its pane
  view.x = Math.min(0, Math.max(least, view.x));
  view.y = Math.min(0, Math.max(least, view.y));
  for (const canvas of panes) {
    canvas.style.transform = view.scale === 1 ? "" : `translate(${100 * view.x}%, ${100 * view.y}%) scale(${view.scale})`;
    canvas.toggleAttribute("data-zoomed", view.scale > 1);
  }
  for (const one of told) one(view.scale);
}
