// The proofs: locks with their last verdicts, deliberate leaks, and attacks of a relay that lies.

import { ask } from "/static/api.js";
import { at, count, h, put } from "/static/dom.js";

const EVERY = 1500;
const LOCKS = { keys: "Keys", policy: "Policy", form: "Form", "non-interference": "Non-interference", accountability: "Accountability" };
const LOST = { read: "letters were read" };
const proves = at("view").dataset.proves === "yes";

// --- the proof

async function lookAtProof() {
  const told = await ask("/api/evidence/proof");
  at("prove").hidden = !proves;
  at("prove").disabled = told.running;
  if (told.running) put(at("proof-state"), `It is being proved: ${told.said}`);
  else if (told.failure) put(at("proof-state"), h("span", { class: "refused" }, told.failure));
  else if (told.last === null) put(at("proof-state"), `Nothing has been proved here yet. ${proves ? "Do it now, or start" : "Start"} the console with --proof FILE, with what blindrelay prove --json has written.`);
  else drawProof(told.last);
  if (told.running) setTimeout(() => lookAtProof().catch(complainProof), EVERY);
}

function drawProof(proof) {
  const run = Object.entries(proof.run).filter(([, value]) => typeof value === "number" && value > 0).map(([what, value]) => `${count(value)} ${what.replaceAll("`", "")}`);
  put(
    at("proof-state"),
    h("strong", { class: proof.passed ? "content" : "refused" }, proof.passed ? "Every lock holds." : "A lock does not hold, or could not be examined."),
    ` ${proof.quick ? "A quick proof" : "A proof"} of ${proof.at.slice(0, 16).replace("T", " ")} UTC, in ${count(Math.round(proof.seconds))} seconds: ${run.join(", ")}.`,
  );
  put(
    at("locks"),
    proof.locks.map((lock) =>
      h(
        "li",
        { class: "card lock" },
        h("h3", {}, h("span", { class: lock.passed ? "content" : "refused", "aria-hidden": "true" }, lock.passed ? "✓ " : "✕ "), LOCKS[lock.lock] ?? lock.lock, h("span", { class: "visually-hidden" }, lock.passed ? " holds" : " does not hold")),
        h("p", { class: "small" }, lock.claim),
        h(
          "details",
          { class: "more" },
          h("summary", {}, `${count(lock.checks.length)} ${lock.checks.length === 1 ? "check" : "checks"}`),
          h("ul", { class: "small" }, lock.checks.map((check) => h("li", { class: check.passed ? "" : "refused" }, `${check.passed ? "✓" : "✕"} ${check.title}`, h("span", { class: "muted" }, ` ${examined(check)}`), check.findings.map((finding) => h("p", { class: "refused" }, finding.text)), check.error && h("p", { class: "refused" }, check.error)))),
        ),
      ),
    ),
  );
}

const examined = (check) => Object.entries(check.examined).filter(([, value]) => value).slice(0, 4).map(([what, value]) => `${count(value)} ${what}`).join(", ");

// --- the leaks

async function lookAtLeaks() {
  const matrix = await ask("/api/evidence/matrix");
  const rows = matrix?.saboteurs ?? [];
  if (rows.length === 0) {
    put(at("leaks"), h("p", { class: "empty" }, "A check that cannot fail is no check: a catalogue of deliberate leaks is let loose, and each must be found for the right reason. Start the console with --matrix FILE, with what blindrelay sabotage matrix --out has written, to see what came of it."));
    return;
  }
  const caught = rows.filter((row) => row.caught).length;
  put(
    at("leaks"),
    h("p", {}, h("strong", { class: caught === rows.length ? "content" : "refused" }, `${count(caught)} of ${count(rows.length)} found`), h("span", { class: "muted" }, ", each by the check and for the reason that was said before.")),
    table(
      "Deliberate leaks",
      ["leak", "lock", "found by", "because"],
      rows.map((row) => [row.title, LOCKS[row.lock] ?? row.lock, row.caught ? row.by : "nobody", row.reason ?? ""]),
    ),
  );
}

// --- the attacks

async function lookAtAttacks() {
  const told = await ask("/api/evidence/attacks");
  at("attack").hidden = !proves;
  at("attack").disabled = told.running;
  if (told.running) put(at("attack-state"), `${count(told.told.length)} have been carried out.`);
  else if (told.failure) put(at("attack-state"), h("span", { class: "refused" }, told.failure));
  else if (told.told.length === 0) put(at("attack-state"), `A ghost device, a substituted key, two histories, a disclosure without an entry: each is carried out on real clients. ${proves ? "It takes some seconds." : "Who may have it carried out has not done so yet."}`);
  else {
    const caught = told.told.filter((one) => one.caught).length;
    put(at("attack-state"), h("strong", { class: caught === told.told.length ? "content" : "refused" }, `${count(caught)} of ${count(told.told.length)} noticed`), ", each by whom it must be.");
  }
  put(
    at("attacks"),
    told.told.length > 0 &&
      table(
        "Attacks of a relay that lies",
        ["what it tries", "how", "noticed by", "by the check", "lost until then"],
        told.told.map((one) => [one.title, one.does, one.caught ? one.noticed_by : "nobody", one.check, LOST[one.loss] ?? one.loss]),
      ),
  );
  if (told.running) setTimeout(() => lookAtAttacks().catch(complainAttacks), EVERY);
}

function table(caption, columns, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", { class: "plain" }, h("caption", { class: "visually-hidden" }, caption), h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col" }, column)))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell)))))),
  );
}

const complainProof = (error) => put(at("proof-state"), h("span", { class: "refused" }, error.message));
const complainAttacks = (error) => put(at("attack-state"), h("span", { class: "refused" }, error.message));

at("prove").addEventListener("click", () => ask("/api/evidence/proof", {}).then(lookAtProof).catch(complainProof));
at("attack").addEventListener("click", () => ask("/api/evidence/attacks", {}).then(lookAtAttacks).catch(complainAttacks));
lookAtProof().catch(complainProof);
lookAtLeaks().catch((error) => put(at("leaks"), error.message));
lookAtAttacks().catch(complainAttacks);
