// One row of the live view: the cells of the people, the relay and the court.

import { clock, count, h, s } from "/static/dom.js";

const TICKS = {
  waiting: ["○", "on its way"],
  accepted: ["✓", "waits at the relay"],
  delivered: ["✓✓", "has arrived"],
  read: ["✓✓", "was read"],
  refused: ["✕", "was not taken"],
};

/** The cells of a row. */
export function drawRow(row, options) {
  const isPair = row.sendings.length > 1;
  return [
    h("div", { class: "cell people" }, h("h3", { class: "label" }, "The people"), people(row, options)),
    h("div", { class: `cell relay${isPair ? " pair" : ""}` }, h("h3", { class: "label" }, "The relay"), each(row, isPair, (one) => relay(one, options))),
    h("div", { class: `cell court${isPair ? " pair" : ""}` }, h("h3", { class: "label" }, "The court"), court(row, isPair, options)),
  ];
}

function each(row, isPair, draw) {
  return h(
    "div",
    { class: "sendings" },
    row.sendings.map((sending) => h("div", { class: "sending" }, isPair && h("p", { class: "posture" }, sending.written.posture), draw(sending))),
  );
}

// --- the people

function people(row, { isOpen, isChosen, choose, sees }) {
  if (!sees.clients) {
    const [{ record }] = row.sendings[0].records;
    return h(
      "button",
      { class: "bubble away", "data-focus": "bubble", "aria-expanded": String(isOpen), onclick: () => choose(row.key) },
      h("span", { class: "lock" }, padlock(), ` On the devices of ${person(record.sender) ?? "somebody"} and ${person(record.recipient)}. Not here.`),
    );
  }
  const { written } = row.sendings[0];
  return [
    h("p", { class: "who" }, h("strong", {}, name(written.sender)), " to ", written.to.map(short).join(", "), written.group && [", in the group ", h("em", {}, written.group)]),
    h(
      "button",
      { class: written.subject === null ? "bubble" : "bubble mail", "data-focus": "bubble", "aria-expanded": String(isOpen), "aria-pressed": String(isChosen), onclick: () => choose(row.key) },
      written.subject !== null && h("strong", { class: "subject" }, written.subject),
      h("span", { class: "words" }, written.text),
      written.attachments.map((file) => h("span", { class: "file" }, `⌙ ${file}`)),
    ),
    row.sendings.map((sending) => ticks(sending.written, row.sendings.length > 1)),
  ];
}

function ticks(written, isPair) {
  const byStage = new Map();
  for (const [user, stage] of Object.entries(written.stages)) byStage.set(stage, [...(byStage.get(stage) ?? []), short(user)]);
  return h(
    "ul",
    { class: "ticks" },
    [...byStage].map(([stage, users]) => {
      const [mark, words] = TICKS[stage];
      return h("li", { class: stage }, h("span", { class: "mark", "aria-hidden": "true" }, mark), ` ${users.join(", ")}: ${words}`, isPair && ` (${written.posture})`);
    }),
  );
}

// --- the relay

function relay({ records, rest, written }, { isOpen, whole, showWhole }) {
  if (records.length === 0) {
    return h("p", { class: "muted" }, written?.stages && Object.values(written.stages).includes("waiting") ? "Nothing yet." : "Looking at its disk.");
  }
  const [first] = records;
  return [
    isOpen ? [envelope(first.record, whole.get(first.record.key), showWhole), fullRecord(first.record)] : line(first.record),
    records.slice(1).map(({ record }) => line(record)),
    rest.length > 0 && h("p", { class: "rest" }, `and ${count(rest.length)} more ${rest.length === 1 ? "record" : "records"} of receipts and copies, which it cannot tell from messages`),
  ];
}

function envelope(record, whole, showWhole) {
  if (record.start === null) {
    return h("p", { class: "hex-note" }, "The envelope was fetched before anybody could look: it is gone.");
  }
  return h(
    "figure",
    { class: record.waits ? "envelope" : "envelope gone" },
    h(
      "figcaption",
      {},
      record.waits
        ? [h("strong", {}, "Waits"), ` for ${name(record.recipient)}: ${count(record.size)} sealed bytes`]
        : [h("strong", {}, "Gone"), `: fetched at ${clock(record.gone_at)} and erased. What it was, as this page remembers it:`],
    ),
    h("pre", whole ? { class: "hex whole", tabindex: -1, "data-focus": "whole" } : { class: "hex" }, h("code", {}, whole ?? record.start.match(/../g).join(" "))),
    record.waits && !whole && h("button", { class: "link", "data-focus": "whole", onclick: () => showWhole(record.key) }, `Show all ${count(record.size)} bytes`),
  );
}

function fullRecord(record) {
  return h(
    "dl",
    { class: "record" },
    record.fields.map(([label, value]) => [h("dt", {}, label), h("dd", { class: value === "none" ? "nothing" : "" }, value)]),
  );
}

function line(record) {
  return h(
    "p",
    { class: "line" },
    h("span", { class: record.sender === null ? "nothing" : "" }, record.sender === null ? "sender: none" : name(record.sender)),
    ` → ${name(record.recipient)}, ${count(record.size)} bytes, ${clock(record.at)}`,
    record.waits && h("strong", {}, ", waits"),
  );
}

// --- the court

function court(row, isPair, { isOpen, sees, order, refusal }) {
  if (!sees.authority) return h("p", { class: "greyed" }, "Nothing without a request that the lawful desk has granted.");
  if (order === null) return h("p", { class: "greyed" }, "Nothing: no order is in force.");
  const why = isOpen && refusal ? (refusal.reasons[0]?.text ?? "") : "";
  return [
    each(row, isPair, (one) => yielded(one, order)),
    h("p", { class: "greyed" }, padlock(), h("span", {}, "Words: ", h("strong", {}, refusal?.ground === "not-held" ? "not held" : (refusal?.outcome ?? "not asked for")), ". ", why)),
  ];
}

function yielded({ records, rest, written }, order) {
  const got = records.filter((each) => each.yielded !== null).map((each) => each.yielded);
  const more = rest.filter((each) => each.yielded !== null).length;
  return [
    got.map((one) => h("p", { class: "line" }, one.sender === null ? h("span", { class: "nothing" }, "account: none") : `account ${one.sender}`, ` → account ${one.recipient}, ${count(one.size)} bytes, ${clock(one.at)}`)),
    got.length === 0 && records.length > 0 && h("p", { class: "greyed" }, whyNothing(records, written, order)),
    more > 0 && h("p", { class: "rest" }, `and ${count(more)} more`),
  ];
}

function whyNothing(records, written, order) {
  const [user, tenant] = order.target.split("@");
  const isTheirs = (device) => device?.startsWith(`${tenant}/${user}/`);
  if (records.some(({ record }) => isTheirs(record.sender) || isTheirs(record.recipient))) return "No record yet.";
  if (isTheirs(written?.sender)) return `No record: it came sealed. That ${user} wrote it is written down nowhere.`;
  return `No record: the order is about ${user} alone.`;
}

function padlock() {
  return s(
    "svg",
    { class: "padlock", viewBox: "0 0 16 16", "aria-hidden": "true" },
    s("rect", { x: 3, y: 7, width: 10, height: 7, rx: 1.5, fill: "currentColor" }),
    s("path", { d: "M5 7V5a3 3 0 0 1 6 0v2", fill: "none", stroke: "currentColor", "stroke-width": 1.5 }),
  );
}

// --- names

/** `acme.example/alice/laptop` -> `alice/laptop`. */
const name = (device) => (device ?? "unknown").split("/").slice(-2).join("/");
/** `acme.example/alice/laptop` -> `alice`. */
const person = (device) => device?.split("/")[1];
/** `alice@acme.example` -> `alice`. */
const short = (address) => address.split("@")[0];
