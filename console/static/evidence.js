// The logs: browsed as a tree, an entry proved step by step, everything checked on this page.

import { at, clock, count, day, h, put } from "/static/dom.js";
import { drawClimb } from "/static/evidence-draw.js";
import { canCheck, checkCheckpoint, hex, parsePolicy, same } from "/static/log-check.js";
import { LogTree, climb } from "/static/log-tree.js";
import { ask } from "/static/api.js";

const SHOWN = 40;
// How often the newest checkpoint is asked for. Milliseconds.
const EVERY = 4000;

let name = "directory";
let log = null; // { name, head, tree, enrolled, first }
let chosen = null; // { index, entry, steps, hashes, shown, altered }
let busy = false;

async function read(path) {
  const answer = await fetch(`/api/evidence/logs/${name}/${path}`);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? "The log cannot be read.");
  return new Uint8Array(await answer.arrayBuffer());
}

async function look() {
  if (busy || document.hidden) return;
  at("stale").hidden = log === null || document.body.dataset.link !== "gone";
  if (document.body.dataset.link !== "up") {
    if (log === null && document.body.dataset.link === "gone") put(at("head"), h("p", { class: "refused" }, "There is no relay whose log could be read. Start one: blindrelay up"));
    return;
  }
  busy = true;
  try {
    const policy = await parsePolicy(new TextDecoder().decode(await read("policy")));
    const head = await checkCheckpoint(await read("checkpoint"), policy);
    if (log?.name !== name || !same(log.head.root, head.root)) await turn(head);
    else if (name === "directory" && (log.enrolled === null || log.alarms > 0)) await askEnterprises();
    log.head = head;
    drawHead();
  } catch (error) {
    put(at("head"), h("p", { class: "refused" }, error.message));
  } finally {
    busy = false;
  }
}

async function turn(head) {
  const other = log?.name !== name;
  const enrolled = name === "directory" ? await enrolledNow() : null;
  log = { name, head, tree: new LogTree(head.size, read), enrolled, alarms: 0, first: Math.max(0, head.size - SHOWN) };
  // The whole tree must lead to the root that was signed: else nothing below is shown.
  log.leads = head.size > 0 && same(await log.tree.range(0, head.size), head.root);
  if (other) chosen = null;
  put(at("tree"), head.size > 0 ? branch(0, head.size) : h("p", { class: "muted" }, "It is empty."));
  await drawEntries();
  if (chosen) await choose(chosen.index);
}

const enrolledNow = () => ask("/api/evidence/enrolled").catch(() => null);

// A device is in the log before its enterprise has told us of it, perhaps.
async function askEnterprises() {
  const enrolled = await enrolledNow();
  if (JSON.stringify(enrolled) === JSON.stringify(log.enrolled)) return;
  log.enrolled = enrolled;
  await drawEntries();
}

// --- the checkpoint

function drawHead() {
  const { head } = log;
  const check = (holds, words) => h("li", { class: holds ? "holds" : "fails" }, h("span", { "aria-hidden": "true" }, holds ? "✓" : "✕"), ` ${words}`);
  put(
    at("head"),
    h("p", {}, h("strong", {}, `${count(head.size)} entries`), h("span", { class: "muted" }, ` in ${head.origin}`)),
    h("p", {}, h("code", { class: "wrap" }, hex(head.root))),
    h(
      "ul",
      { class: "checks" },
      check(head.signed, head.signed ? "signed with the log's key" : "not signed with the log's key"),
      head.cosigned.map((one) => check(one.holds, `${one.holds ? "cosigned" : "not cosigned"} by the witness ${one.name}, ${day(one.time)} ${clock(one.time)} UTC`)),
      check(head.enough, head.enough ? (head.cosigned.length > 0 ? "as many witnesses as the policy wants" : "the policy wants no witness") : "fewer witnesses than the policy wants"),
      check(log.leads, log.leads ? "the tree leads to this number" : "the tree does not lead to this number"),
    ),
    h("p", { class: "small muted" }, "Checked in this browser, by the policy that the relay publishes. Compare its keys with those that you have from elsewhere."),
  );
}

// --- the tree

function branch(low, high) {
  const label = high - low === 1 ? `entry ${low}` : `entries ${low} to ${high - 1}`;
  const text = h("code", { class: "small" });
  log.tree.range(low, high).then((hash) => put(text, `${hex(hash).slice(0, 12)}…`));
  if (high - low === 1) return h("p", { class: "leaf" }, h("button", { type: "button", class: "link", onclick: () => choose(low) }, label), " ", text);
  const below = h("div", { class: "below" });
  const open = low === 0 && high === log.head.size;
  const details = h("details", { open, ontoggle: fill }, h("summary", {}, label, " ", text), below);
  function fill() {
    if (details.open && below.childElementCount === 0) put(below, log.tree.children(low, high).map((part) => branch(...part)));
  }
  if (open) fill();
  return details;
}

// --- the entries

async function drawEntries() {
  const { tree, head, first } = log;
  const items = [];
  let alarms = 0;
  for (let index = head.size - 1; index >= first; index -= 1) {
    const described = describe(await tree.entry(index));
    if (described.alarm) alarms += 1;
    items.push(
      h(
        "li",
        { class: described.alarm ? "alarm" : "" },
        h(
          "button",
          { type: "button", class: "entry", "aria-pressed": String(chosen?.index === index), "data-index": index, onclick: () => choose(index) },
          h("span", { class: "muted number" }, String(index)),
          h("strong", {}, described.title),
          h("span", {}, described.text),
          described.alarm && h("span", { class: "refused" }, described.alarm),
        ),
      ),
    );
  }
  log.alarms = alarms;
  put(at("entries"), items);
  at("earlier").hidden = first === 0;
  put(at("entries-title"), `The entries, the newest first`);
  put(
    at("alarms"),
    log.enrolled === null
      ? name === "directory" && h("span", { class: "small muted" }, "Whether a device is one that its enterprise has enrolled, the enterprise knows: blindrelay log monitor")
      : alarms > 0
        ? h("strong", { class: "refused" }, `${alarms} devices that nobody has enrolled`)
        : h("span", { class: "content" }, "✓ Each device is one that its enterprise has enrolled: no ghosts."),
  );
}

const KINDS = { tenant: "An enterprise", device: "A device", revocation: "A device is withdrawn", commitment: "A sealed note", request: "A request", decision: "A decision", package: "A package was made", release: "A package was handed over", stream: "A real-time order", notice: "Users were told", withdrawal: "A request was withdrawn", settled: "A case is settled" };

function describe(bytes) {
  let entry;
  try {
    entry = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return { title: "Unreadable", text: hex(bytes.slice(0, 16)) };
  }
  const title = KINDS[entry.kind] ?? entry.kind;
  if (entry.kind === "device") {
    const own = log.enrolled?.[entry.tenant];
    const device = own?.[entry.certificate];
    const alarm = own && !device ? `${entry.tenant} has enrolled no such device` : null;
    return { title, text: `of ${entry.tenant}${device ? `, ${device}` : ""}${entry.archive ? ", an archive" : ""}`, alarm };
  }
  if (entry.kind === "tenant" || entry.kind === "revocation") return { title, text: entry.tenant };
  const { kind, ...rest } = entry;
  return { title, text: Object.entries(rest).filter(([key]) => !["commitment", "index"].includes(key)).map(([key, value]) => `${key} ${short(value)}`).join(", ") };
}

function short(value) {
  const text = typeof value === "string" ? value : Array.isArray(value) ? value.map((one) => one.outcome ?? short(one)).join(" and ") : typeof value === "object" && value !== null ? (value.at_least === value.at_most ? String(value.at_least) : `${value.at_least} to ${value.at_most}`) : String(value);
  return text.length > 40 ? `${text.slice(0, 12)}…` : text;
}

// --- the way up

async function choose(index) {
  const entry = await log.tree.entry(index);
  const steps = await log.tree.path(index);
  chosen = { index, entry, steps, hashes: await climb(entry, steps), shown: 0, altered: false };
  for (const button of at("entries").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.index === String(index)));
  draw();
}

async function alter() {
  const entry = chosen.entry.slice();
  if (!chosen.altered) entry[Math.floor(entry.length / 2)] ^= 1;
  const original = await log.tree.entry(chosen.index);
  const now = chosen.altered ? original : entry;
  chosen = { ...chosen, entry: now, altered: !chosen.altered, hashes: await climb(now, chosen.steps), shown: chosen.steps.length };
  draw();
}

function draw() {
  const focus = document.activeElement?.dataset?.focus;
  drawClimb(at("climb"), chosen, log.head, {
    next: () => {
      chosen.shown = Math.min(chosen.shown + 1, chosen.steps.length);
      draw();
    },
    all: () => {
      chosen.shown = chosen.steps.length;
      draw();
    },
    alter,
  });
  if (focus) at("climb").querySelector(`[data-focus="${focus}"]`)?.focus();
}

at("log").addEventListener("click", ({ target }) => {
  if (!target.value) return;
  name = target.value;
  for (const button of at("log").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button === target));
  put(at("climb"), h("h3", {}, "The way up"), h("p", { class: "muted" }, "Pick an entry: its way to the signed number is drawn step by step, and checked."));
  look();
});
at("earlier").addEventListener("click", async () => {
  log.first = Math.max(0, log.first - SHOWN);
  await drawEntries();
});

if (canCheck()) {
  document.addEventListener("status", () => look());
  setInterval(look, EVERY);
} else {
  put(at("head"), h("p", { class: "refused" }, "This browser checks nothing here: it does so on https, or on this machine, alone. Open the console as 127.0.0.1, through a tunnel."));
}
