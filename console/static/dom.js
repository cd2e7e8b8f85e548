// Making elements. What people wrote reaches the page as text nodes alone: there is no other way in here.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `attributes`: `class`, `id`, `aria-...`; a function is a listener (`onclick`); false and null are left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put something else into an element. */
export function put(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** The element with an id. */
export const at = (id) => document.getElementById(id);

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const COUNT = new Intl.NumberFormat("en-GB");

/** Epoch seconds as a time of the day, UTC. */
export const clock = (seconds) => CLOCK.format(new Date(seconds * 1000));
/** Epoch seconds as a date. */
export const day = (seconds) => DAY.format(new Date(seconds * 1000));
/** A number for people. */
export const count = (number) => COUNT.format(number);
