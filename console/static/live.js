// Live: one message, three times.

import { ask } from "/static/api.js";
import { at, count, day, h, put } from "/static/dom.js";
import { drawRow } from "/static/live-row.js";
import { Model } from "/static/live-model.js";
import { follow } from "/static/stream.js";

const SHOWN = 24;
// Between two drawings: of a message that one follows, and of many. Milliseconds.
const CALM = 80;
const BUSY = 300;
const WHOLE = 8;

const view = at("view");
const sees = { clients: view.dataset.clients === "yes", authority: view.dataset.authority === "yes" };
const model = new Model();
const drawn = new Map(); // key of a row -> { element, signature }
const whole = new Map(); // id of an envelope that somebody wanted to see whole -> its bytes as text, or why there are none
let chosen = null;
let timer = null;

for (const stream of ["clients", "relay", "authority"]) {
  if (sees[stream] === false) continue;
  follow(stream, (items, frame) => {
    model.take(items, frame, stream);
    schedule();
  });
}

function schedule() {
  const rate = model.fact("clients", "directed")?.rate ?? 0;
  timer ??= setTimeout(draw, rate > 0 ? BUSY : CALM);
}

function draw() {
  timer = null;
  const rows = model.rows(sees.clients).slice(0, SHOWN);
  drawRows(rows);
  drawAbout();
  drawState(rows.length);
  drawDirection();
}

function drawRows(rows) {
  const list = at("messages");
  const order = model.fact("authority", "records") ?? null;
  const refusal = model.fact("authority", "words") ?? null;
  const keys = new Set(rows.map((row) => row.key));
  for (const [key, row] of drawn) {
    if (keys.has(key)) continue;
    row.element.remove();
    drawn.delete(key);
  }
  let before = null;
  rows.forEach((row, place) => {
    const isOpen = chosen === null ? place === 0 && sees.clients : chosen === row.key;
    const unfolded = row.sendings.flatMap(({ records }) => records.filter(({ record }) => whole.has(record.key)).length);
    const signature = JSON.stringify([row, isOpen, chosen === row.key, order?.outcome, refusal?.outcome, unfolded]);
    let known = drawn.get(row.key);
    if (known === undefined) {
      known = { element: h("li", { class: "message arrives", "data-key": row.key }), signature: null };
      drawn.set(row.key, known);
    }
    if (known.signature !== signature) {
      const focused = known.element.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
      put(known.element, ...drawRow(row, { isOpen, isChosen: chosen === row.key, sees, order, refusal, choose, whole, showWhole }));
      known.element.classList.toggle("chosen", chosen === row.key);
      known.signature = signature;
      if (focused) known.element.querySelector(`[data-focus="${focused}"]`)?.focus();
    }
    const next = before === null ? list.firstElementChild : before.nextElementSibling;
    if (next !== known.element) list.insertBefore(known.element, next);
    before = known.element;
  });
}

function choose(key) {
  chosen = chosen === key ? null : key;
  draw();
}

// The row may be drawn anew at any time, and so what is shown of it is remembered here.
async function showWhole(id) {
  let text;
  try {
    text = (await ask(`/api/live/envelopes/${id}`)).hex.match(/../g).join(" ");
  } catch (error) {
    text = error.message;
  }
  whole.set(id, text);
  if (whole.size > WHOLE) whole.delete(whole.keys().next().value);
  draw();
}

function drawAbout() {
  const total = model.fact("relay", "total");
  if (total) {
    put(at("about-relay"), `Everything that it keeps: ${count(total.records)} records, ${count(total.waiting)} envelopes that wait. ${total.rate} records a second.`);
  }
  const order = model.fact("authority", "records");
  const refusal = model.fact("authority", "words");
  if (!order) return;
  const about = at("about-court");
  if (about.dataset.case === order.case) return;
  about.dataset.case = order.case;
  const granted = order.outcome === "granted" || order.outcome === "narrowed";
  put(
    about,
    h("p", {}, `${order.authority}. ${order.instrument}, about ${order.target}: `, h("strong", { class: granted ? "metadata" : "refused" }, order.outcome), order.until ? ` until ${day(order.until)}.` : "."),
    refusal && h("p", {}, `${refusal.instrument}, for the words: `, h("strong", { class: "refused" }, refusal.outcome), "."),
    h(
      "details",
      {},
      h("summary", {}, "The answers, as the court got them"),
      [order, refusal].filter(Boolean).map((one) => h("pre", { class: "letter" }, one.letter)),
    ),
  );
}

function drawState(rows) {
  const state = model.fact("clients", "state")?.state;
  const trouble = model.fact("clients", "trouble")?.reason || model.fact("authority", "trouble")?.reason;
  const now = at("now");
  const text =
    document.body.dataset.link === "gone"
      ? "The relay has gone away. What people write now waits on their own devices, and goes out when it is back."
      : trouble
        ? `Nothing happens just now: ${trouble}`
        : "";
  now.hidden = text === "";
  put(now.firstElementChild, text);
  const empty = at("empty");
  empty.hidden = rows > 0;
  put(empty.firstElementChild, whyEmpty(state));
}

function whyEmpty(state) {
  if (!sees.clients) {
    return document.body.dataset.link === "gone"
      ? "There is no relay to look at. Start one: blindrelay up"
      : "Nobody has written anything yet. When somebody does, what the relay keeps of it appears here. What they write does not: it is on their devices alone.";
  }
  if (state === "left") return "The demonstration's people have left. Start it again: blindrelay demo --open";
  return "Two enterprises are being founded, and four people enrol their six devices. In a moment they begin to talk.";
}

function drawDirection() {
  const directed = model.fact("clients", "directed");
  if (!directed) return;
  const pause = at("pause");
  put(pause, directed.paused ? "Continue" : "Pause");
  pause.setAttribute("aria-pressed", String(directed.paused));
  press("rate", String(directed.rate));
  press("way", directed.way);
}

function press(group, value) {
  for (const button of at(group).querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.value === value));
  }
}

function offerDirection() {
  const form = at("direct");
  form.hidden = view.dataset.direct !== "yes";
  const direct = async (direction) => {
    try {
      await ask("/api/live/direction", direction);
      put(at("directed"), "");
    } catch (error) {
      put(at("directed"), error.message);
    }
  };
  at("pause").addEventListener("click", () => direct({ paused: !(model.fact("clients", "directed")?.paused ?? false) }));
  at("rate").addEventListener("click", ({ target }) => target.value && direct({ rate: Number(target.value) }));
  at("way").addEventListener("click", ({ target }) => target.value && direct({ way: target.value }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const say = at("words").value.trim();
    if (!say) return;
    at("words").value = "";
    direct({ say });
  });
}

document.addEventListener("status", schedule);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && chosen !== null) choose(chosen);
});
offerDirection();
schedule();
