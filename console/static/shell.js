// What every page has: whether the relay is there, light or dark, invitations.

import { ask } from "/static/api.js";
import { at, clock, h, put } from "/static/dom.js";
import { follow } from "/static/stream.js";

const THEMES = ["light", "dark"];

function show(state, text, more = "") {
  const link = at("link");
  link.title = more;
  if (link.dataset.state === state && at("link-text").textContent === text) return;
  link.dataset.state = state;
  put(at("link-text"), text);
  document.body.dataset.link = state;
}

function watchRelay() {
  let relay = null;
  const showRelay = () => {
    if (relay === null) show("unknown", "Looking for the relay");
    else if (relay.up) show("up", "The relay is up", `It answers at ${relay.address}, since ${clock(relay.since)} UTC.`);
    else show("gone", relay.reason, `Since ${clock(relay.since)} UTC.`);
  };
  follow("status", (items) => {
    for (const item of items) if (item.key === "relay") relay = item;
    showRelay();
    for (const item of items) document.dispatchEvent(new CustomEvent("status", { detail: item }));
  });
  document.addEventListener("stream", ({ detail }) => {
    if (detail.state === "lost") show("lost", "The console does not answer");
    else if (detail.state === "refused") ask("/api/me").catch(() => {});
    else showRelay();
  });
  document.addEventListener("signed-out", () => show("lost", "Signed out: open a new sign-in link"));
}

function offerThemes() {
  const kept = localStorage.getItem("theme");
  if (THEMES.includes(kept)) document.documentElement.dataset.theme = kept;
  at("theme")?.addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}

function offerInvitations() {
  at("invite")?.addEventListener("click", async ({ target }) => {
    if (!target.dataset.role) return;
    const say = at("invitation");
    try {
      const { path } = await ask("/api/links", { role: target.dataset.role });
      put(say, `A link for one ${target.dataset.role}, good once: `, h("code", { class: "wrap" }, location.origin + path));
    } catch (error) {
      put(say, error.message);
    }
  });
  const menu = document.querySelector(".menu");
  menu?.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

offerThemes();
// On a narrow page the views are a row to be pushed along.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
if (at("link")) {
  watchRelay();
  offerInvitations();
}
