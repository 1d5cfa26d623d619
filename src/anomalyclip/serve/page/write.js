// Views write at every frame what they show; only what differs reaches the page, for what is written again is laid out and painted again.

/** Set properties of an element, those that have another value; a name with a hyphen is an attribute, its value a text. */
export function write(element, values) {
  for (const [name, value] of Object.entries(values)) {
    const known = name.includes("-") ? element.getAttribute(name) : element[name];
    if (known === value) continue;
    if (name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
}
