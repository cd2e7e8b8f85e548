// Metadata is not nothing: standard beside sealed, on an invented company, this relay, or a trace.

import { ask } from "/static/api.js";
import { at, count, h, put } from "/static/dom.js";
import { drawAnswers, drawBosses, drawDays, drawGraph, drawMeasured, drawWeek } from "/static/metadata-draw.js";

// How often this relay's records are looked at again, in milliseconds; and how many times as long as that took there is a rest, so
// that a relay with many of them is not kept busy by it.
const EVERY = 6000;
const REST = 10;
const live = at("view").dataset.live === "yes";
let again = null;
let asked = 0; // which question was the last: an answer to another one is passed over

async function look(source, trace = "", isNew = true) {
  clearTimeout(again);
  asked += 1;
  const own = asked;
  const began = performance.now();
  try {
    if (!document.hidden) await conclude(source, trace, isNew, () => own === asked);
  } catch (error) {
    if (own === asked) complain(error);
  }
  if (source === "live" && own === asked) again = setTimeout(() => look("live", "", false), Math.max(EVERY, REST * (performance.now() - began)));
}

async function conclude(source, trace, isNew, isWanted) {
  if (isNew) put(at("say"), "It is being concluded. A hundred thousand records take some seconds.");
  for (const button of at("source").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === source));
  const found = await ask("/api/metadata/conclusions", { source, trace });
  if (!isWanted()) return;
  at("findings").hidden = found.people === 0;
  if (found.people === 0) {
    put(at("say"), found.records === 0 ? "There are no records yet. When people write to one another, something can be concluded." : "So far too few people have written for anything to be concluded.");
    return;
  }
  const [boss] = found.standard.bosses;
  put(
    at("say"),
    `From ${count(found.records)} records of ${count(found.people)} people, without a word of what they wrote: ${count(found.standard.groups)} ${found.standard.groups === 1 ? "group" : "groups"}, and `,
    boss ? [h("strong", {}, boss.who), " is probably the boss."] : "nobody who stands out.",
    found.sealed > 0 ? ` ${count(found.sealed)} of the records came sealed, and have no sender in either column.` : "",
  );
  put(at("measured"), drawMeasured(found.measured));
  put(at("held"), held[source]);
  for (const [id, column, title] of [["standard", found.standard, "Written down by the relay"], ["sealed", found.without, "Guessed from times"]]) {
    const isSealed = id === "sealed";
    const open = [...at(id).querySelectorAll("details")].map((one) => one.open);
    put(at(id), drawGraph(column, title), drawBosses(column), drawDays(column, isSealed), drawAnswers(column, isSealed));
    at(id).querySelectorAll("details").forEach((one, place) => (one.open = open[place] ?? false));
  }
  put(at("hours"), drawWeek(found.week));
}

// What the conclusions are held against.
const held = {
  company: "Everything is known of this company, so that each conclusion can be held against the truth. Its devices write, confirm and wait as real ones do in each posture.",
  live: "Nobody here knows more of these people than the records say: sealed is held against what standard shows.",
  trace: "Nobody here knows more of these people than the trace says: sealed is held against what standard shows.",
};

const complain = (error) => {
  at("findings").hidden = true;
  put(at("say"), h("span", { class: "refused" }, error.message));
};

if (!live) at("source").querySelector("[value=live]").remove();
at("source").addEventListener("click", ({ target }) => {
  if (!target.value) return;
  history.replaceState(null, "", `#${target.value}`); // so that the page is the same when it is loaded anew
  look(target.value);
});
at("trace").addEventListener("change", async () => {
  const [file] = at("trace").files;
  if (file) look("trace", await file.text());
});
at("pick").addEventListener("submit", (event) => event.preventDefault());
look(live && location.hash === "#live" ? "live" : "company");
