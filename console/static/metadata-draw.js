// Pictures of conclusions: who writes to whom, who is the boss, when people are there, and how good the guess is.

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

const short = (name) => (name.length > 14 ? `${name.slice(0, 13)}…` : name);

/** Who is the boss, and who answers fast. */
export function drawBosses({ bosses, answers }) {
  return h(
    "div",
    { class: "card" },
    h("h3", {}, "Who is the boss"),
    h("ol", { class: "bars" }, bosses.map((one) => h("li", {}, h("span", {}, one.who), h("meter", { min: 0, max: 1, value: one.score, "aria-label": `${one.who}: ${one.score}` })))),
    h("h3", {}, "Who answers fastest"),
    answers.length > 0
      ? table(["who", "answers within", "is answered within"], answers.map((one) => [one.who, minutes(one.own), one.answered === null ? "-" : minutes(one.answered)]))
      : h("p", { class: "muted" }, "Without a sender nobody sees an answer."),
  );
}

const minutes = (seconds) => (seconds < 60 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);

/** The hours of a week, the busier the darker. */
export function drawHours(hours) {
  const most = Math.max(1, ...hours.flat());
  const [day, hour] = hours.flatMap((row, number) => row.map((value, at) => [value, number, at])).sort((one, other) => other[0] - one[0])[0].slice(1);
  return h(
    "figure",
    { class: "card" },
    s(
      "svg",
      { class: "hours", viewBox: "0 0 520 160", role: "img", "aria-label": `Most is written on day ${day + 1} at ${hour} o'clock UTC: ${count(hours[day][hour])} records.` },
      hours.flatMap((row, number) => row.map((value, at) => s("rect", { x: 40 + at * 20, y: 4 + number * 19, width: 18, height: 17, "fill-opacity": (0.05 + (0.95 * value) / most).toFixed(2) }))),
      hours.map((_, number) => s("text", { x: 34, y: 17 + number * 19, "text-anchor": "end" }, `day ${number + 1}`)),
      [0, 6, 12, 18].map((at) => s("text", { x: 40 + at * 20, y: 154 }, `${at}:00`)),
    ),
    h("details", { class: "more small" }, h("summary", {}, "As a table"), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Records by day and hour" }, table(["", ...hours[0].map((_, at) => String(at))], hours.map((row, number) => [`day ${number + 1}`, ...row.map(count)])))),
  );
}

/** Each conclusion with how good it is. */
export function drawMeasured(rows) {
  const share = (value) => h("span", { class: "number" }, value.toFixed(2));
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "The measures" },
    h(
      "table",
      { class: "plain measured" },
      h("thead", {}, h("tr", {}, ["conclusion", "standard", "sealed", "a mere guess", "measured as", "against"].map((word) => h("th", { scope: "col" }, word)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.what), h("td", {}, share(row.standard)), h("td", {}, share(row.sealed)), h("td", {}, share(row.guess)), h("td", { class: "muted" }, row.measure), h("td", { class: "muted" }, row.against)))),
    ),
  );
}

function table(columns, rows) {
  return h("table", { class: "plain" }, h("thead", {}, h("tr", {}, columns.map((column) => (column ? h("th", { scope: "col" }, column) : h("td", {}))))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))));
}
