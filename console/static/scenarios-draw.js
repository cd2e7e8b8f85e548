// What is to be seen at one moment of a scenario.

import { day, h, put, s } from "/static/dom.js";
import { className, country, kindOf, plain } from "/static/words.js";

const STATES = {
  running: "in operation",
  noticed: "to be suspended",
  suspended: "suspended",
  rescinded: "in operation, the order was taken back",
};
/** The state of the service in each country. */
export function drawServices(list, frame) {
  put(
    list,
    frame.services.map((service) =>
      h(
        "li",
        { class: `service ${service.state}` },
        h("strong", {}, country(service.jurisdiction)),
        h("span", { class: "state" }, service.overdue ? "the date has passed, and nobody has acted" : STATES[service.state]),
        service.effective && service.state === "noticed" && h("span", {}, ` from ${day(service.effective)} on`),
        h("span", { class: "small muted" }, service.tenants.join(", ")),
      ),
    ),
  );
}

/** The demands, the newest first; what has changed since the moment before is marked. */
export function drawCases(element, frame, before) {
  const old = new Map((before?.cases ?? []).map((one) => [one.name, JSON.stringify(one)]));
  if (frame.cases.length === 0) {
    put(element, h("p", { class: "empty" }, "Nobody has asked for anything yet."));
    return;
  }
  put(
    element,
    [...frame.cases].reverse().map((one) =>
      h(
        "article",
        { class: old.get(one.name) === JSON.stringify(one) ? "case card" : "case card news" },
        h("h3", {}, one.authority),
        h("p", { class: "small muted" }, `${one.instrument}, ${one.state}`),
        one.refusal && h("p", { class: "refused" }, `Not taken: ${one.refusal}`),
        one.demands.map((demand) => drawDemand(demand)),
      ),
    ),
  );
}

function drawDemand(demand) {
  const groups = grouped(demand.classes);
  return h(
    "div",
    { class: "demand" },
    h("p", {}, h("q", {}, demand.asks)),
    groups.length > 0
      ? h("ul", { class: "answers" }, groups.map((group) => h("li", {}, h("strong", {}, group.names.join(", ")), ": ", outcome(group), h("span", { class: "small muted" }, ` ${group.why}`))))
      : h("p", {}, demand.outcome ? outcome(demand) : "Undecided", h("span", { class: "small muted" }, ` ${demand.why}`)),
  );
}

function grouped(classes) {
  const groups = new Map();
  for (const one of classes) {
    const key = `${one.outcome} ${one.ground} ${one.why}`;
    if (!groups.has(key)) groups.set(key, { ...one, names: [] });
    groups.get(key).names.push(className(one.data_class));
  }
  return [...groups.values()];
}

/** An outcome, in its colour and in words. */
export function outcome({ outcome: word, ground }) {
  return h("span", { class: `outcome ${kindOf(word)}` }, word, ground && ground !== word ? ` (${plain(ground)})` : "");
}

/** What has happened up to now, the newest first. Each is a way back. */
export function drawStory(list, frames, go) {
  put(
    list,
    frames
      .map((frame, place) =>
        h("li", {}, h("button", { type: "button", class: "link", "aria-current": place === frames.length - 1 ? "step" : null, onclick: () => go(place) }, h("span", { class: "when" }, day(frame.at)), ` ${frame.title}`)),
      )
      .reverse(),
  );
}

const HEIGHT = 46;

/** All moments on one line, each at its date. */
export function drawDates(svg, frames, place) {
  const width = svg.clientWidth || 1000;
  const [first, last] = [frames[0].at, frames.at(-1).at];
  const x = (moment) => 10 + ((moment - first) / Math.max(1, last - first)) * (width - 20);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("aria-label", `${frames.length} moments from ${day(first)} to ${day(last)}; this is ${place + 1}, ${day(frames[place].at)}`);
  put(
    svg,
    s("line", { x1: 10, x2: width - 10, y1: 30, y2: 30, class: "axis" }),
    frames.map((frame, number) => s("circle", { cx: x(frame.at), cy: 30, r: number === place ? 9 : 5, class: number === place ? "here" : frame.checked > 0 ? "step" : "letter" })),
    s("text", { x: 10, y: 14, class: "date" }, day(first)),
    s("text", { x: width - 10, y: 14, "text-anchor": "end", class: "date" }, day(last)),
  );
}
