// Pictures of conclusions: who writes to whom, who is the boss, who works when, who answers soon, and how good each is.

import { count, h, s } from "/static/dom.js";

const SIZE = 460;
const MIDDLE = SIZE / 2;
const RADIUS = 150;

/** People on a circle, those of a group beside each other; the more they write, the thicker the line. */
export function drawGraph({ nodes, edges, others, groups }, title) {
  const place = nodes.map((_, number) => (number / nodes.length) * 2 * Math.PI - Math.PI / 2);
  const point = (number, radius = RADIUS) => [MIDDLE + radius * Math.cos(place[number]), MIDDLE + radius * Math.sin(place[number])];
  const heaviest = Math.max(1, ...edges.map((edge) => edge[2]));
  const largest = Math.max(1, ...nodes.map((node) => node.weight));
  const words = `${title}: ${count(nodes.length + others)} people in ${count(groups)} groups. ${edges.length > 0 ? `Most between ${nodes[edges[0][0]].name} and ${nodes[edges[0][1]].name}.` : ""}`;
  return h(
    "figure",
    { class: "card" },
    h("figcaption", { class: "small muted" }, `${title}: ${count(groups)} groups${others > 0 ? `; ${count(nodes.length)} of ${count(nodes.length + others)} people are drawn` : ""}`),
    s(
      "svg",
      { class: "graph", viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": words },
      edges.map(([one, other, weight]) => {
        const [from, to] = [point(one), point(other)];
        const isWithin = nodes[one].group === nodes[other].group;
        return s("path", { class: isWithin ? "edge within" : "edge", d: `M${from[0].toFixed(1)} ${from[1].toFixed(1)}Q${MIDDLE} ${MIDDLE} ${to[0].toFixed(1)} ${to[1].toFixed(1)}`, "stroke-width": (0.5 + (3.5 * weight) / heaviest).toFixed(2) });
      }),
      nodes.map((node, number) => {
        const [x, y] = point(number);
        const [labelX, labelY] = point(number, RADIUS + 10);
        const isLeft = Math.cos(place[number]) < 0;
        const angle = (place[number] * 180) / Math.PI + (isLeft ? 180 : 0);
        return s("g", {}, s("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: (2 + (5 * node.weight) / largest).toFixed(1) }), s("text", { x: labelX.toFixed(1), y: labelY.toFixed(1), "text-anchor": isLeft ? "end" : "start", "dominant-baseline": "middle", transform: `rotate(${angle.toFixed(1)} ${labelX.toFixed(1)} ${labelY.toFixed(1)})` }, short(node.name)));
      }),
    ),
    h(
      "details",
      { class: "more small" },
      h("summary", {}, "As a table"),
      table(["who", "with whom", "weight"], edges.slice(0, 20).map(([one, other, weight]) => [nodes[one].name, nodes[other].name, count(weight)])),
    ),
  );
}

const short = (name, length = 14) => (name.length > length ? `${name.slice(0, length - 1)}…` : name);

/** Who is the boss. */
export function drawBosses({ bosses }) {
  return h(
    "div",
    { class: "card" },
    h("h3", {}, "Who is probably the boss"),
    h("ol", { class: "bars" }, bosses.map((one) => h("li", {}, h("span", {}, one.who), h("meter", { min: 0, max: 1, value: one.score, "aria-label": `${one.who}: ${one.score} of the first one's weight` })))),
  );
}

/** Who answers soon. */
export function drawAnswers({ answers }, isSealed) {
  return h(
    "div",
    { class: "card" },
    h("h3", {}, "Who answers soon"),
    answers.length > 0
      ? table(["who", "half of the time within"], answers.map((one) => [one.who, minutes(one.seconds)]))
      : h("p", { class: "muted" }, isSealed ? "Without a sender nobody sees who has answered whom." : "So far nobody has answered often enough for anything to be said."),
  );
}

const minutes = (seconds) => (seconds < 60 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);

const SQUARE = 18;
const MARGIN = 112;

/** A heat map: a row for each of `rows` ({ name, hours }), the busier the darker. `scale(row)`: what is darkest in it. */
function heat(rows, words, scale) {
  const height = rows.length * (SQUARE + 1) + 16;
  return [
    s(
      "svg",
      { class: "hours", viewBox: `0 0 ${MARGIN + 24 * (SQUARE + 2)} ${height}`, role: "img", "aria-label": words },
      rows.flatMap((row, number) => row.hours.map((value, at) => s("rect", { x: MARGIN + at * (SQUARE + 2), y: number * (SQUARE + 1), width: SQUARE, height: SQUARE - 1, "fill-opacity": (0.05 + (0.95 * value) / scale(row)).toFixed(2) }))),
      rows.map((row, number) => s("text", { x: MARGIN - 6, y: number * (SQUARE + 1) + 13, "text-anchor": "end" }, short(row.name, 17))),
      [0, 6, 12, 18].map((at) => s("text", { x: MARGIN + at * (SQUARE + 2), y: height - 2 }, `${at}:00`)),
    ),
    h(
      "details",
      { class: "more small" },
      h("summary", {}, "As a table"),
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": words }, table(["", ...rows[0].hours.map((_, at) => String(at))], rows.map((row) => [row.name, ...row.hours.map(count)]))),
    ),
  ];
}

/** Who works when: a day for each of the busiest people. */
export function drawDays({ days }, isSealed) {
  const rows = days.map((one) => ({ name: one.who, hours: one.hours }));
  const latest = (row) => row.hours.indexOf(Math.max(...row.hours));
  const words = rows.length > 0 ? `The days of ${count(rows.length)} people; ${rows[0].name} is busiest at ${latest(rows[0])} o'clock UTC.` : "";
  return h(
    "figure",
    { class: "card" },
    h("figcaption", {}, h("h3", {}, "Who works when"), h("p", { class: "small muted" }, isSealed ? "When each of them receives something; who has sent it is not known." : "When each of them sends something, in hours UTC.")),
    rows.length > 0 ? heat(rows, words, (row) => Math.max(1, ...row.hours)) : h("p", { class: "muted" }, "Nothing yet."),
  );
}

/** The hours of a week. */
export function drawWeek(week) {
  const rows = week.map((one) => ({ name: one.day, hours: one.hours }));
  const most = Math.max(1, ...rows.flatMap((row) => row.hours));
  const busiest = rows.find((row) => row.hours.includes(most)) ?? rows[0];
  const hour = busiest.hours.indexOf(Math.max(...busiest.hours));
  return h("figure", { class: "card" }, heat(rows, `Most is written on ${busiest.name} at ${hour} o'clock UTC: ${count(busiest.hours[hour])} records.`, () => most));
}

/** Each conclusion with how good it is, and what that means. */
export function drawMeasured(rows) {
  const bar = (value, kind) =>
    value === null
      ? h("span", { class: "muted" }, "held against")
      : h("span", { class: `score ${kind}` }, h("span", { class: "number" }, value.toFixed(2)), h("meter", { min: 0, max: 1, value, "aria-hidden": "true" }));
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "The measures" },
    h(
      "table",
      { class: "plain measured" },
      h("thead", {}, h("tr", {}, ["conclusion", "standard", "sealed", "a mere guess", "what the number is; 1 is everything"].map((word) => h("th", { scope: "col" }, word)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.what), h("td", { "data-label": "standard" }, bar(row.standard, "metadata")), h("td", { "data-label": "sealed" }, bar(row.sealed, "content")), h("td", { "data-label": "a mere guess" }, bar(row.guess, "")), h("td", { class: "muted measure" }, row.measure)))),
    ),
  );
}

function table(columns, rows) {
  return h("table", { class: "plain" }, h("thead", {}, h("tr", {}, columns.map((column) => (column ? h("th", { scope: "col" }, column) : h("td", {}))))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))));
}
