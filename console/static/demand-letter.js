// The answer to a request, as a letter: each kind of data on its own.

import { clock, count, day, h } from "/static/dom.js";
import { className, kindOf, mark, plain } from "/static/words.js";

const seconds = (text) => Date.parse(text) / 1000;

/** A case as its desk has it. `actions(demand)` are the buttons that fit. */
export function drawCase(detail, { showPolicy, actions }) {
  const { summary, decision, view, request } = detail;
  return [
    h(
      "header",
      { class: "case-head" },
      h("h2", {}, request.authorisation.reference, h("span", { class: "muted" }, `, ${summary.instrument}`)),
      h("p", { class: "small muted" }, `${summary.authority_id}, received ${day(seconds(view.received_at))} ${clock(seconds(view.received_at))} UTC. The case is `, h("strong", {}, view.state), "."),
      summary.signals.length > 0 && h("p", { class: "refused small" }, `Look twice: ${summary.signals.join("; ")}`),
    ),
    (decision?.demands ?? []).map((demand) => drawDemand(demand, detail, showPolicy, actions)),
    h("details", { class: "more" }, h("summary", {}, "The letter, as the authority gets it"), h("pre", { class: "letter" }, view.letter)),
    h(
      "details",
      { class: "more" },
      h("summary", {}, "What has happened in this case"),
      h("ol", { class: "small" }, detail.history.map((row) => h("li", {}, `${clock(seconds(row.at))} ${row.text}`))),
    ),
  ];
}

function drawDemand(demand, detail, showPolicy, actions) {
  const asked = detail.request.demands.find((one) => one.id === demand.demand_id);
  const parts = demand.classes.length > 0 ? demand.classes : [demand];
  return h(
    "article",
    { class: "letter-card card" },
    h("p", { class: "asked" }, "You asked for ", h("strong", {}, wanted(asked)), "."),
    h("dl", { class: "answer" }, parts.map((part) => drawPart(part, asked, showPolicy))),
    demand.redirect_to && h("p", {}, "Ask ", h("strong", {}, demand.redirect_to), "."),
    demand.use_restriction && h("p", { class: "small" }, demand.use_restriction),
    actions(demand, detail),
  );
}

function drawPart(part, asked, showPolicy) {
  const differs = part.would_change ?? [];
  return [
    h("dt", {}, part.data_class ? className(part.data_class) : wanted(asked), " ", h("span", { class: `outcome ${kindOf(part.outcome)}` }, part.outcome, part.ground && ` (${plain(part.ground)})`)),
    h(
      "dd",
      {},
      part.window && h("p", {}, `From ${stamp(part.window.start)} until ${stamp(part.window.end)}, about ${part.targets.map((target) => target.value).join(", ")}.`),
      h("ul", { class: "reasons" }, part.reasons.map((reason) => drawReason(reason, showPolicy))),
      part.law && h("p", {}, h("em", {}, "The law beside it: "), part.law),
      differs.length > 0 && h("div", { class: "differ" }, h("p", {}, h("em", {}, "What would have to differ")), h("ul", {}, differs.map((sentence) => h("li", {}, sentence)))),
    ),
  ];
}

function drawReason(reason, showPolicy) {
  return h(
    "li",
    {},
    reason.text,
    h("span", { class: "small muted" }, ` ${reason.source}; ${mark(reason.mark)}. `),
    reason.location && reason.location.startsWith("packs/") && h("button", { type: "button", class: "link", onclick: () => showPolicy(reason.location) }, `Show ${reason.policy_id}`),
  );
}

function wanted(asked) {
  if (asked.kind === "capability") return asked.description;
  if (asked.kind === "service") return `the service in ${asked.jurisdiction.toUpperCase()}: ${asked.action}`;
  const whom = asked.targets.map((target) => (target.value === "*" ? "everybody" : target.value)).join(", ");
  return `${asked.classes.map(className).join(", ").toLowerCase()}, about ${whom}${{ stored: "", preserve: ", to be kept from deletion", stream: ", as it happens" }[asked.mode]}`;
}

const stamp = (text) => `${day(seconds(text))} ${clock(seconds(text))}`;

/** A package that was opened. */
export function drawPackage(opened) {
  const records = opened.classes.reduce((sum, one) => sum + one.records, 0);
  return h(
    "section",
    { class: "package", "aria-label": "The package" },
    h("h3", {}, `The package, opened with the authority's key: ${count(records)} records`),
    h("p", { class: "small muted" }, `${count(opened.size)} bytes, sealed to the authority and signed by the relay. SHA-256 `, h("code", { class: "wrap" }, opened.digest), ", which the public log has. Sealed, it begins"),
    h("pre", { class: "hex" }, opened.start.match(/../g).join(" ")),
    opened.tables.map((one) => [drawTable(className(one.data_class), one.columns, one.rows), more(opened, one)]),
    records === 0 && h("p", { class: "empty" }, "Nothing of it is there in the window that was asked for. That, too, is an answer."),
    h("p", { class: "small muted" }, "A package has room for identifiers, times, counts and addresses. There is no place in it for a sentence or for bytes."),
  );
}

function more(opened, { data_class: name, rows }) {
  const all = opened.classes.find((one) => one.data_class === name)?.records ?? rows.length;
  return all > rows.length && h("p", { class: "small muted" }, `and ${count(all - rows.length)} more`);
}

function drawTable(title, columns, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": title },
    h("table", {}, h("caption", {}, title), h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col" }, column.replaceAll("_", " "))))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell || "none")))))),
  );
}

/** A real-time order: what has come, and when it ends. `now`: epoch seconds. */
export function drawStream(stream, until, now) {
  const left = Math.max(0, Math.ceil(until - now));
  return h(
    "section",
    { class: "package", "aria-label": "The real-time order" },
    h("h3", {}, stream.ended ? `It stopped at ${clock(stream.ended.at)} UTC: ${plain(stream.ended.reason)}` : `Records as they arise, for ${count(left)} more ${left === 1 ? "second" : "seconds"}`),
    h("p", { class: "small muted" }, `${count(stream.count)} records. The order ends at ${clock(until)} UTC by itself; what is written a second later does not come.`),
    stream.rows.length > 0
      ? drawTable(
          "Who wrote to whom, as it happens",
          ["accepted", "from account", "to account", "size"],
          [...stream.rows].reverse().map((row) => [row.accepted ? clock(seconds(row.accepted)) : clock(seconds(row.opened ?? row.closed)), row.sender_id === null ? "none" : String(row.sender_id ?? row.account_id ?? ""), String(row.recipient_id ?? ""), row.size ? `${count(row.size)} bytes` : ""]),
        )
      : h("p", { class: "empty" }, "Nothing has come yet."),
  );
}
