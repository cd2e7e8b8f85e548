// Charts: lines over time, each with a sentence that says the same, and a table with the numbers.

import { clock, h, s } from "/static/dom.js";

const WIDTH = 320;
const HEIGHT = 72;
// Above the highest value stands what it is.
const HEADROOM = 18;
const ROWS = 12;

/**
 * A figure. `series`: [{ name, values, kind }], `times` epoch seconds, `show(value)` as text. A value that is null is not drawn. As long
 * as there are no two points there is no line, and it is said when there will be.
 */
export function chart({ title, series, times, show }) {
  const now = series.map((one) => ({ ...one, last: show(one.values.at(-1) ?? null) }));
  return h(
    "figure",
    { class: "chart card", "data-title": title },
    h("figcaption", {}, h("span", { class: "muted" }, title), h("span", { class: "number" }, now.map((one) => h("strong", { class: `now ${one.kind ?? ""}` }, one.name && h("span", { class: "small muted" }, `${one.name} `), one.last)))),
    times.length < 2
      ? h("p", { class: "blank small muted" }, "A line appears in a few seconds: it takes two looks at the relay to draw one.")
      : [
          lines({ title, series: now, times, show }),
          h("p", { class: "span small muted" }, h("span", {}, clock(times[0])), h("span", {}, `${clock(times.at(-1))} UTC`)),
          h("details", { class: "more small" }, h("summary", {}, "As a table"), numbers({ title, series, times, show })),
        ],
  );
}

function lines({ title, series, times, show }) {
  const values = series.flatMap((one) => one.values.filter((value) => value !== null));
  const top = Math.max(1e-9, ...values);
  const length = Math.max(1e-9, times.at(-1) - times[0]);
  const x = (time) => ((time - times[0]) / length) * WIDTH;
  const y = (value) => HEIGHT - 2 - (value / top) * (HEIGHT - 2 - HEADROOM);
  const points = (one) => one.values.map((value, at) => (value === null ? "" : `${x(times[at]).toFixed(1)},${y(value).toFixed(1)}`)).join(" ");
  const most = show(values.length > 0 ? Math.max(...values) : null);
  const words = `${title}: now ${series.map((one) => `${one.name ? `${one.name} ` : ""}${one.last}`).join(", ")}; from ${clock(times[0])} to ${clock(times.at(-1))} UTC at most ${most}.`;
  return h(
    "div",
    { class: "plot" },
    h("span", { class: "most small muted" }, most),
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words, preserveAspectRatio: "none" }, series.map((one) => s("polyline", { class: `line ${one.kind ?? ""}`, points: points(one) }))),
  );
}

function numbers({ title, series, times, show }) {
  const rows = times.map((time, at) => ({ time, at })).slice(-ROWS).reverse();
  return h(
    "table",
    { class: "plain" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "UTC"), series.map((one) => h("th", { scope: "col" }, one.name || title)))),
    h("tbody", {}, rows.map(({ time, at }) => h("tr", {}, h("td", {}, clock(time)), series.map((one) => h("td", {}, show(one.values[at] ?? null)))))),
  );
}
