// Charts: lines over time, each with a sentence that says the same, and a table with the numbers.

import { clock, h, s } from "/static/dom.js";

const WIDTH = 320;
const HEIGHT = 72;
const ROWS = 12;

/**
 * A figure. `series`: [{ name, values, kind }], `times` epoch seconds, `show(value)` as text. A value that is null is not drawn.
 */
export function chart({ title, series, times, show }) {
  const top = Math.max(1e-9, ...series.flatMap((one) => one.values.filter((value) => value !== null)));
  const x = (at) => (times.length < 2 ? WIDTH : (at / (times.length - 1)) * WIDTH);
  const y = (value) => HEIGHT - 2 - (value / top) * (HEIGHT - 6);
  const last = series.map((one) => `${one.name ? `${one.name} ` : ""}${show(one.values.at(-1) ?? null)}`).join(", ");
  const words = times.length > 1 ? `${title}: now ${last}; from ${clock(times[0])} to ${clock(times.at(-1))} UTC at most ${show(top)}.` : `${title}: now ${last}.`;
  return h(
    "figure",
    { class: "chart card" },
    h("figcaption", {}, h("span", { class: "muted" }, title), h("strong", { class: "number" }, last)),
    s(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words, preserveAspectRatio: "none" },
      series.map((one) => s("polyline", { class: `line ${one.kind ?? ""}`, points: one.values.map((value, at) => (value === null ? "" : `${x(at).toFixed(1)},${y(value).toFixed(1)}`)).join(" ") })),
    ),
    h(
      "details",
      { class: "more small" },
      h("summary", {}, "As a table"),
      h(
        "table",
        { class: "plain" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "UTC"), series.map((one) => h("th", { scope: "col" }, one.name || title)))),
        h("tbody", {}, times.map((time, at) => ({ time, at })).slice(-ROWS).reverse().map(({ time, at }) => h("tr", {}, h("td", {}, clock(time)), series.map((one) => h("td", {}, show(one.values[at] ?? null)))))),
      ),
    ),
  );
}
