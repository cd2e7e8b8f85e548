// Metadata is not nothing: standard beside sealed, on an invented company, this relay, or a trace.

import { ask } from "/static/api.js";
import { at, count, h, put } from "/static/dom.js";
import { drawBosses, drawGraph, drawHours, drawMeasured } from "/static/metadata-draw.js";

// How often this relay's records are looked at again. Milliseconds.
const EVERY = 6000;
const live = at("view").dataset.live === "yes";
let again = null;

async function look(source, trace = "", isNew = true) {
  clearTimeout(again);
  if (source === "live") again = setTimeout(() => look("live", "", false).catch(complain), EVERY);
  if (document.hidden) return;
  if (isNew) put(at("say"), "It is being concluded. A hundred thousand records take some seconds.");
  for (const button of at("source").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === source));
  const found = await ask("/api/metadata/conclusions", { source, trace });
  at("findings").hidden = found.people === 0;
  if (found.people === 0) {
    put(at("say"), found.records === 0 ? "There are no records yet. When people write to one another, something can be concluded." : "So far too few people have written for anything to be concluded.");
    return;
  }
  const [boss] = found.standard.bosses;
  put(
    at("say"),
    `From ${count(found.records)} records of ${count(found.people)} people, without a word of what they wrote: ${count(found.standard.groups)} groups, and `,
    h("strong", {}, boss.who),
    " is probably the boss.",
    found.sealed > 0 ? ` ${count(found.sealed)} of the records came sealed, and have no sender in either column.` : "",
  );
  put(at("measured"), drawMeasured(found.measured));
  put(at("standard"), drawGraph(found.standard, "Written down by the relay"), drawBosses(found.standard));
  put(at("sealed"), drawGraph(found.without, "Guessed from times"), drawBosses(found.without));
  put(at("hours"), drawHours(found.hours));
}

const complain = (error) => {
  at("findings").hidden = true;
  put(at("say"), h("span", { class: "refused" }, error.message));
};

at("source").querySelector("[value=live]").hidden = !live;
at("source").addEventListener("click", ({ target }) => target.value && look(target.value).catch(complain));
at("trace").addEventListener("change", async () => {
  const [file] = at("trace").files;
  if (file) look("trace", await file.text()).catch(complain);
});
at("pick").addEventListener("submit", (event) => event.preventDefault());
look("company").catch(complain);
