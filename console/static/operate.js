// Operate: how the relay is doing, now and over the last minutes.

import { ask } from "/static/api.js";
import { chart } from "/static/chart.js";
import { at, clock, count, day, h, put } from "/static/dom.js";
import { country, plain } from "/static/words.js";

const EVERY = 2000;
const SLOWLY = 10_000;

async function look() {
  if (document.hidden) return;
  const { now, reason, samples } = await ask("/api/operate/status");
  for (const id of ["facts", "charts"]) at(id).hidden = now === null;
  if (now === null) {
    put(at("health"), reason || "Asking the relay");
    at("health").dataset.state = reason ? "gone" : "unknown";
    return;
  }
  at("health").dataset.state = now.ready ? "up" : "gone";
  put(at("health"), now.ready ? "It is ready, and takes messages." : `It is not ready: ${now.fault}`);
  drawFacts(now);
  drawCharts(samples);
  drawLogs(now.logs);
  drawKeep(now);
}

const fact = (what, value) => h("div", { class: "fact card" }, h("span", { class: "muted small" }, what), h("strong", { class: "number" }, value));

function drawFacts(now) {
  const connections = Object.entries(now.connections).map(([kind, number]) => `${count(number)} ${kind}`);
  put(
    at("facts"),
    fact("Up for", duration(now.now - now.began_at)),
    fact("Release", now.version),
    fact("Taken", count(now.accepted)),
    fact("Delivered", count(now.delivered)),
    fact("Refused", count(now.refused)),
    fact("Connections", connections.join(", ") || "none"),
    fact("Waiting", `${count(now.waiting)} ${now.waiting === 1 ? "message" : "messages"}, ${bytes(now.waiting_bytes)}`),
    fact("Room on the disk", bytes(now.free_bytes)),
  );
}

function drawCharts(samples) {
  const open = new Set([...at("charts").querySelectorAll("details[open]")].map((one) => one.closest("figure").dataset.title));
  const later = samples.slice(1);
  const times = later.map((one) => one.at);
  const rate = (key) => later.map((one, number) => Math.max(0, (one[key] - samples[number][key]) / Math.max(0.1, one.at - samples[number].at)));
  const value = (key) => later.map((one) => one[key]);
  const a_second = (number) => (number === null ? "-" : `${number.toFixed(number < 10 ? 1 : 0)}/s`);
  const milliseconds = (number) => (number === null ? "-" : `${(number * 1000).toFixed(number < 0.01 ? 1 : 0)} ms`);
  const number = (one) => count(one ?? 0);
  put(
    at("charts"),
    chart({ title: "Messages taken", series: [{ name: "", values: rate("accepted"), kind: "metadata" }], times, show: a_second }),
    chart({ title: "Messages delivered", series: [{ name: "", values: rate("delivered"), kind: "content" }], times, show: a_second }),
    chart({ title: "Time until a message is safe", series: [{ name: "half within", values: value("half"), kind: "content" }, { name: "99 % within", values: value("most"), kind: "metadata" }], times, show: milliseconds }),
    chart({ title: "Connections", series: [{ name: "", values: value("connections") }], times, show: number }),
    chart({ title: "Messages that wait for their device", series: [{ name: "", values: value("waiting"), kind: "metadata" }], times, show: number }),
    chart({ title: "Queue in front of the disk", series: [{ name: "", values: value("queue") }], times, show: (one) => bytes(one ?? 0) }),
  );
  for (const figure of at("charts").children) if (open.has(figure.dataset.title)) figure.querySelector("details").open = true;
}

function drawLogs(logs) {
  put(
    at("logs"),
    h(
      "ul",
      { class: "plain-list" },
      logs.map((log) =>
        h("li", {}, h("strong", {}, log.name), `: ${count(log.entries)} entries, `, log.failing ? h("span", { class: "refused" }, "cannot be published just now") : log.witnesses === 0 ? "no witness" : log.cosigned_at ? `cosigned at ${clock(log.cosigned_at)} UTC` : h("span", { class: "refused" }, "not cosigned yet")),
      ),
    ),
  );
}

function drawKeep(now) {
  const files = Object.entries(now.store_bytes).map(([file, size]) => `${file} ${bytes(size)}`);
  put(
    at("keep"),
    h("p", {}, `The store: ${files.join(", ") || "nothing"}.`),
    h("p", {}, now.retention_ran_at ? `What is too old was last looked for on ${day(now.retention_ran_at)} at ${clock(now.retention_ran_at)} UTC; ${count(now.retention_deleted)} records have been deleted since the start.` : "What is too old has not been looked for yet since the start."),
  );
}

async function lookAround() {
  if (document.hidden) return;
  const tenants = await ask("/api/operate/tenants");
  put(
    at("tenants"),
    tenants.length === 0
      ? h("p", { class: "muted" }, "No enterprise is registered, or the relay keeps its tables elsewhere.")
      : h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["enterprise", "at home in", "devices"].map((word) => h("th", { scope: "col" }, word)))), h("tbody", {}, tenants.map((one) => h("tr", {}, h("td", {}, one.name), h("td", {}, one.jurisdiction ? country(one.jurisdiction) : "nobody has said"), h("td", {}, count(one.devices)))))),
  );
  const desk = await ask("/api/operate/desk");
  if (desk.reason) put(at("desk"), h("p", { class: "muted" }, desk.reason));
  else drawDesk(desk);
}

function drawDesk({ service, orders, open, waiting }) {
  put(
    at("desk"),
    h("p", {}, `${count(open)} open ${open === 1 ? "case" : "cases"}, ${count(waiting.length)} of them ${waiting.length === 1 ? "waits" : "wait"} for somebody. `, h("a", { href: "/demand" }, "To the desk")),
    waiting.length > 0 && h("ul", { class: "small" }, waiting.slice(0, 8).map((one) => h("li", {}, one.waits_for.join("; ")))),
    h("h3", {}, "Orders in force"),
    orders.length === 0
      ? h("p", { class: "muted" }, "None: nobody gets anything as it happens, and nothing is kept longer than usual.")
      : h("ul", { class: "plain-list" }, orders.map((one) => h("li", {}, h("strong", {}, one.instrument), ` of ${one.authority}: ${one.what}, until ${moment(one.until)}`))),
    h("h3", {}, "Service"),
    service.length === 0
      ? h("p", { class: "muted" }, "In operation everywhere.")
      : h("ul", { class: "plain-list" }, service.map((one) => h("li", {}, h("strong", {}, country(one.jurisdiction)), `: ${plain(one.state)}`, one.overdue && h("span", { class: "refused" }, ", the date has passed and nobody has acted")))),
  );
}

const moment = (text) => `${day(Date.parse(text) / 1000)}, ${clock(Date.parse(text) / 1000)} UTC`;

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

function bytes(number) {
  let unit = 0;
  let value = number;
  for (; value >= 1000 && unit < UNITS.length - 1; unit += 1) value /= 1000;
  return `${unit === 0 ? count(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

const complain = (error) => put(at("health"), h("span", { class: "refused" }, error.message));
const watch = (work, every) => {
  work().catch(complain);
  setInterval(() => work().catch(complain), every);
};
watch(look, EVERY);
watch(lookAround, SLOWLY);
