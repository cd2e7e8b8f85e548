// Scenarios: a run is computed as fast as it goes, and looked at as slowly as one likes.

import { ask } from "/static/api.js";
import { at, count, day, h, put } from "/static/dom.js";
import { drawCases, drawDates, drawServices, drawStory } from "/static/scenarios-draw.js";

// How long one looks at a moment at normal speed, and how often the run is asked for what is new. Milliseconds.
const LOOK = 3200;
const ASK = 400;

let scenarios = [];
let run = null; // { number, frames, over, moved }
let place = 0;
let playing = true;
let timer = null;

const frame = () => run?.frames[place];

async function begin() {
  scenarios = await ask("/api/scenarios/scenarios");
  put(at("scenario"), scenarios.map((one) => h("option", { value: one.name }, `${one.title} (${one.name})`)));
  showChoice();
  at("start").disabled = false;
}

function showChoice() {
  const chosen = scenarios.find((one) => one.name === at("scenario").value);
  if (!chosen) return;
  const variants = Object.entries(chosen.variants);
  at("variants").hidden = variants.length === 0;
  put(at("variant"), variants.map(([name, title]) => h("option", { value: name }, title)));
  put(at("about"), chosen.description);
}

async function start() {
  const variant = at("variants").hidden ? null : at("variant").value;
  const { run: number } = await ask("/api/scenarios/runs", { scenario: at("scenario").value, variant });
  run = { number, frames: [], over: null, moved: null };
  place = 0;
  playing = true;
  at("theatre").hidden = false;
  at("story-of").open = false;
  draw();
  await listen(run);
}

async function listen(mine) {
  while (run === mine && mine.over === null) {
    const told = await ask(`/api/scenarios/runs/${mine.number}?after=${mine.frames.length}`);
    if (run !== mine) return;
    mine.frames.push(...told.frames);
    Object.assign(mine, { moved: told.moved, over: told.over });
    if (told.frames.length > 0) draw();
    else drawProgress();
    if (mine.over === null) await new Promise((done) => setTimeout(done, ASK));
  }
}

function next() {
  timer = null;
  if (!playing || !run) return;
  if (place < run.frames.length - 1) {
    place += 1;
    draw();
  } else if (run.over !== null) {
    playing = false;
    draw();
  } else schedule();
}

function schedule() {
  clearTimeout(timer);
  timer = playing ? setTimeout(next, LOOK / Number(at("speed").value)) : null;
}

function go(to) {
  if (!run) return;
  place = Math.max(0, Math.min(to, run.frames.length - 1));
  draw();
}

function draw() {
  drawProgress();
  const now = frame();
  at("happens").closest(".stage").hidden = !now;
  if (!now) return;
  const slider = at("place");
  slider.max = String(run.frames.length - 1);
  slider.value = String(place);
  slider.setAttribute("aria-valuetext", `${day(now.at)}: ${now.title}`);
  put(at("play"), playing ? "Pause" : place >= run.frames.length - 1 && run.over ? "Play again" : "Play");
  put(at("disclosed"), count(now.disclosed));
  at("disclosed").classList.toggle("refused", now.disclosed > 0);
  put(at("searched"), count(now.searched));
  put(at("handed"), count(now.handed));
  put(at("moment"), `${day(now.at)}, on the scenario's clock`);
  if (at("happens").textContent !== now.title) put(at("happens"), now.title);
  put(at("details"), now.details.map((line) => h("li", {}, line.trim())));
  put(at("sources"), now.sources.length > 0 && `Source: ${now.sources.join("; ")}`);
  drawServices(at("services"), now);
  put(at("mail"), `${count(now.written)} messages written${now.refused ? `, ${count(now.refused)} not taken` : ""}`);
  drawCases(at("cases"), now, run.frames[place - 1]);
  drawStory(at("story"), run.frames.slice(0, place + 1), go);
  drawDates(at("dates"), run.frames, place);
  schedule();
}

function drawProgress() {
  const say = at("progress");
  if (!run) return;
  if (run.over === null) {
    put(say, run.moved ? `A relay plays it just now: ${count(run.moved.done)} of ${count(run.moved.of)}` : "A relay is started for it");
  } else if (run.over.error) put(say, h("span", { class: "refused" }, run.over.error));
  else {
    const failed = run.frames.flatMap((one) => one.failed).length;
    const checked = run.frames.reduce((sum, one) => sum + one.checked, 0);
    put(say, `Played by a real relay, with real clients, in ${run.over.seconds} s. ${count(checked)} expectations compared, ${failed === 0 ? "all met" : `${failed} not met`}.`);
  }
}

const complain = (error) => put(at("progress"), h("span", { class: "refused" }, error.message));

at("scenario").addEventListener("change", showChoice);
at("pick").addEventListener("submit", (event) => {
  event.preventDefault();
  at("theatre").hidden = false;
  start().catch(complain);
});
at("play").addEventListener("click", () => {
  const isAtTheEnd = run?.over && place >= run.frames.length - 1;
  if (!playing && isAtTheEnd) place = 0;
  playing = !playing;
  draw();
});
at("back").addEventListener("click", () => {
  playing = false;
  go(place - 1);
});
at("on").addEventListener("click", () => {
  playing = false;
  go(place + 1);
});
at("place").addEventListener("input", () => {
  playing = false;
  go(Number(at("place").value));
});
at("speed").addEventListener("change", schedule);
addEventListener("resize", () => frame() && drawDates(at("dates"), run.frames, place));
begin().catch((error) => put(at("about"), error.message));
