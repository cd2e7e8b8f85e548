// Demand: ask as an authority, read the answer, see who decides and what is given.

import { ask } from "/static/api.js";
import { drawCase, drawPackage, drawStream } from "/static/demand-letter.js";
import { at, clock, h, put } from "/static/dom.js";
import { follow } from "/static/stream.js";
import { className, country, kindOf, modeName, plain } from "/static/words.js";

const LENGTHS = {
  stored: [[3600, "an hour"], [86400, "a day"], [7 * 86400, "a week"], [30 * 86400, "thirty days"]],
  stream: [[15, "fifteen seconds"], [60, "a minute"], [600, "ten minutes"], [86400, "a day"]],
};
// How often the list of cases is asked for. Milliseconds.
const EVERY = 5000;

const view = at("view");
const asks = view.dataset.asks === "yes";
const decides = view.dataset.decides === "yes";
let form = null;
let people = [];
let open = null; // the case that is shown
const opened = new Map(); // case and demand -> package
const streams = new Map(); // case and demand -> what has come

// --- the form

async function offerForm() {
  form = await ask("/api/demand/form");
  at("ask").hidden = false;
  const groups = new Map();
  for (const seat of form.seats) groups.set(seat.jurisdiction, [...(groups.get(seat.jurisdiction) ?? []), seat]);
  put(at("seat"), [...groups].map(([code, seats]) => h("optgroup", { label: country(code) }, seats.map((seat) => h("option", { value: seat.id, selected: seat.id === "us-judge" }, seat.title)))));
  put(at("targets"), form.targets.map((target) => h("option", { value: target })));
  put(at("classes"), form.classes.map((name) => h("label", { class: "check" }, h("input", { type: "checkbox", value: name, checked: name === "TRAFFIC" || name === "CONTENT" }), ` ${className(name)}`)));
  put(at("mode"), form.modes.map((mode) => h("option", { value: mode }, modeName(mode))));
  put(at("capability"), h("option", { value: "" }, "Nothing: data is asked for"), form.capabilities.map((one) => h("option", { value: one }, plain(one))));
  offerInstruments();
  offerLengths();
}

function offerInstruments() {
  const seat = form.seats.find((one) => one.id === at("seat").value);
  const own = form.instruments.filter((one) => one.id.startsWith(`${seat.jurisdiction}/`));
  const option = (one) => h("option", { value: one.id, selected: one.id === "us/search-warrant" }, `${one.title} (${one.basis})`);
  const may = own.filter((one) => one.issuers.includes(seat.kind));
  const mayNot = own.filter((one) => !one.issuers.includes(seat.kind));
  put(at("instrument"), h("optgroup", { label: "It may issue" }, may.map(option)), mayNot.length > 0 && h("optgroup", { label: "It may not issue" }, mayNot.map(option)));
}

function offerLengths() {
  const isStream = at("mode").value === "stream";
  put(at("seconds-label"), isStream ? "For how long" : "How far back");
  put(at("seconds"), LENGTHS[isStream ? "stream" : "stored"].map(([value, words]) => h("option", { value, selected: value === 86400 && !isStream }, words)));
}

function filledIn() {
  const capability = at("capability").value || null;
  const classes = [...at("classes").querySelectorAll("input:checked")].map((box) => box.value);
  return {
    seat: at("seat").value,
    instrument: at("instrument").value,
    target: at("target").value.trim(),
    classes: capability ? [] : classes,
    mode: at("mode").value,
    seconds: Number(at("seconds").value),
    capability,
    emergency: at("emergency").checked,
  };
}

async function handIn() {
  put(at("asked"), "Signed, and on its way to the desk");
  const { case: number } = await ask("/api/demand/requests", filledIn());
  put(at("asked"), "Handed in and decided.");
  await show(number);
  await listCases();
}

// --- the desk

async function listCases() {
  const told = await ask("/api/demand/cases");
  people = told.people;
  put(at("desk"), told.reason || (told.cases.length === 0 ? "Nobody has asked for anything yet." : ""));
  put(
    at("cases"),
    told.cases.map((one) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", class: "case-line", "aria-current": one.case_id === open ? "true" : null, onclick: () => show(one.case_id).catch(complain) },
          h("span", { class: "small muted" }, `${clock(Date.parse(one.received_at) / 1000)} ${one.authority_id}`),
          h("strong", {}, one.instrument),
          h("span", {}, one.outcomes.map(([, outcome]) => h("span", { class: `outcome ${kindOf(outcome)}` }, outcome ?? "undecided"))),
          one.waits_for.length > 0 && h("span", { class: "small" }, `Waits: ${one.waits_for.join("; ")}`),
        ),
      ),
    ),
  );
}

async function show(number) {
  open = number;
  draw(await ask(`/api/demand/cases/${number}`));
}

function draw(detail) {
  if (detail.view.case_id !== open) return;
  // Whoever is at a button stays there: what comes meanwhile draws it anew.
  const focus = at("case").contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  put(at("case"), drawCase(detail, { showPolicy, actions: drawActions }));
  if (focus) [...at("case").querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focus)?.focus();
  listenTo(detail);
}

// A real-time order is listened to as soon as it runs.
function listenTo(detail) {
  if (!asks) return;
  const number = detail.view.case_id;
  for (const demand of detail.decision?.demands ?? []) {
    const key = `${number}/${demand.demand_id}`;
    if (!demand.stream || streams.has(key)) continue;
    const approvals = detail.approvals.filter((one) => one.demand_id === demand.demand_id && one.counts).length;
    const state = detail.view.demands.find((one) => one.demand_id === demand.demand_id);
    if (state?.stream_is_active) listen(key, demand.demand_id).catch(complain);
    else if (approvals >= demand.approvals_needed && Date.parse(demand.stream.end) > Date.now()) {
      setTimeout(() => open === number && show(number).catch(complain), 500);
    }
  }
}

function drawActions(demand, detail) {
  const id = demand.demand_id;
  const key = `${detail.view.case_id}/${id}`;
  const state = detail.view.demands.find((one) => one.demand_id === id);
  const approvedBy = new Set(detail.approvals.filter((one) => one.demand_id === id && one.counts).map((one) => one.operator));
  const waits = ["granted", "narrowed"].includes(demand.outcome) && detail.view.state === "decided" && approvedBy.size < demand.approvals_needed;
  return h(
    "div",
    { class: "actions" },
    approvedBy.size > 0 && h("p", { class: "small" }, `Approved by ${[...approvedBy].join(" and ")}.`),
    waits && h("p", { class: "small" }, `Before anything leaves, ${demand.approvals_needed} persons of the operator's approve it.`),
    waits && decides && h("div", { class: "row" }, (people.length > 0 ? people : [null]).filter((person) => !approvedBy.has(person)).map((person) => h("button", { type: "button", "data-focus": `${key} ${person}`, onclick: act(() => approve(key, id, person)) }, person ? `${person} approves` : "Approve")), h("button", { type: "button", "data-focus": `${key} refuse`, onclick: act(() => reject(key, id)) }, "Refuse it")),
    asks && state?.package && !opened.has(key) && h("button", { type: "button", class: "main", onclick: act(() => openPackage(key, id)) }, "Fetch the package and open it"),
    opened.has(key) && drawPackage(opened.get(key)),
    h("div", { "data-stream": key, "data-until": demand.stream ? String(Date.parse(demand.stream.end) / 1000) : null }, streams.has(key) && demand.stream && drawStream(streams.get(key), Date.parse(demand.stream.end) / 1000, Date.now() / 1000)),
  );
}

const act = (work) => () => work().catch(complain);
const caseOf = (key) => key.split("/")[0];

async function approve(key, id, person) {
  draw(await ask(`/api/demand/cases/${caseOf(key)}/approvals`, { demand_id: id, person }));
  await listCases();
}

async function reject(key, id) {
  const person = people[0] ?? null;
  draw(await ask(`/api/demand/cases/${caseOf(key)}/rejections`, { demand_id: id, person, reason: "refused in the console" }));
  await listCases();
}

async function openPackage(key, id) {
  opened.set(key, await ask(`/api/demand/cases/${caseOf(key)}/packages`, { demand_id: id }));
  await show(caseOf(key));
}

async function listen(key, id) {
  await ask(`/api/demand/cases/${caseOf(key)}/streams`, { demand_id: id });
}

function takeStreams(items) {
  for (const item of items) {
    if (item.kind !== "stream") continue;
    const key = item.key.slice("stream/".length);
    const isNew = !streams.has(key);
    streams.set(key, item);
    if (isNew && item.case === open) show(open).catch(complain);
  }
  drawStreams();
}

function drawStreams() {
  for (const place of document.querySelectorAll("[data-stream]")) {
    const stream = streams.get(place.dataset.stream);
    if (stream && place.dataset.until) put(place, drawStream(stream, Number(place.dataset.until), Date.now() / 1000));
  }
}

// --- the policy

async function showPolicy(location) {
  try {
    const file = await ask(`/api/demand/policies?location=${encodeURIComponent(location)}`);
    put(at("policy-path"), `${file.path}, lines ${file.first} to ${file.last}`);
    put(at("policy-text"), h("ol", {}, file.lines.map((line, number) => h("li", { class: number + 1 >= file.first && number + 1 <= file.last ? "marked" : "" }, line || " "))));
    at("policy").showModal();
    at("policy-text").querySelector(".marked")?.scrollIntoView({ block: "center" });
  } catch (error) {
    complain(error);
  }
}

const complain = (error) => put(at(asks ? "asked" : "desk"), h("span", { class: "refused" }, error.message));

at("close-policy").addEventListener("click", () => at("policy").close());
at("seat").addEventListener("change", offerInstruments);
at("mode").addEventListener("change", offerLengths);
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  handIn().catch(complain);
});

async function begin() {
  if (asks) {
    await offerForm();
    follow("authority", takeStreams);
    setInterval(drawStreams, 500);
  }
  await listCases();
}

const deskComplain = (error) => put(at("desk"), h("span", { class: "refused" }, error.message));
begin().catch(deskComplain);
setInterval(() => document.hidden || listCases().catch(deskComplain), EVERY);
