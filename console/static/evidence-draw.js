// The way from an entry to the signed root, step by step.

import { h, put, s } from "/static/dom.js";
import { hex, same } from "/static/log-check.js";

const ROW = 64;
const WIDTH = 360;
const MIDDLE = WIDTH / 2;
const ASIDE = 118;

const brief = (bytes) => `${hex(bytes).slice(0, 8)}…`;
const range = (low, high) => (high - low === 1 ? `entry ${low}` : `${low} to ${high - 1}`);

/** Draw it, as far as it is shown. */
export function drawClimb(element, chosen, head, { next, all, alter }) {
  const { index, entry, steps, hashes, shown, altered } = chosen;
  const isUp = shown === steps.length;
  const holds = isUp && same(hashes.at(-1), head.root);
  put(
    element,
    h("h3", {}, `The way up from entry ${index}`),
    h("pre", { class: "letter entry-text" }, new TextDecoder().decode(entry)),
    h(
      "div",
      { class: "row" },
      !isUp && h("button", { type: "button", class: "main", "data-focus": "next", onclick: next }, "Next step"),
      !isUp && h("button", { type: "button", "data-focus": "all", onclick: all }, "All steps"),
      isUp && h("button", { type: "button", "data-focus": "next", onclick: alter }, altered ? "Put it back" : "Change one letter"),
    ),
    isUp &&
      h(
        "p",
        { class: holds ? "holds" : "fails" },
        h("strong", {}, holds ? "✓ It leads to the number that was signed: the entry is in the log." : "✕ It leads to another number than the one that was signed."),
      ),
    picture(chosen, head, isUp, holds),
    h(
      "details",
      { class: "more" },
      h("summary", {}, "The same in words"),
      h(
        "ol",
        { class: "small" },
        h("li", {}, "SHA-256 of the entry, behind a zero byte: ", h("code", { class: "wrap" }, hex(hashes[0]))),
        steps.slice(0, shown).map((step, at) => h("li", {}, `With its neighbour on the ${step.side} (${range(step.low, step.high)}): `, h("code", { class: "wrap" }, hex(hashes[at + 1])))),
        isUp && h("li", {}, "Signed: ", h("code", { class: "wrap" }, hex(head.root))),
      ),
    ),
  );
}

function picture({ index, steps, hashes, shown }, head, isUp, holds) {
  const height = (steps.length + 1) * ROW + 30;
  const y = (level) => height - 34 - level * ROW;
  const words = isUp ? (holds ? `All ${steps.length} steps lead from entry ${index} to the signed number.` : "The steps lead to another number.") : `${shown} of ${steps.length} steps from entry ${index} up.`;
  const parts = [];
  for (const [level, step] of steps.entries()) {
    const isDone = level < shown;
    const side = MIDDLE + (step.side === "left" ? -ASIDE : ASIDE);
    parts.push(
      s("line", { x1: MIDDLE, y1: y(level), x2: MIDDLE, y2: y(level + 1), class: isDone ? "edge done" : "edge" }),
      s("line", { x1: side, y1: y(level), x2: MIDDLE, y2: y(level + 1), class: isDone ? "edge done" : "edge" }),
      node(side, y(level), range(step.low, step.high), isDone ? brief(step.hash) : "", "neighbour"),
    );
  }
  for (let level = 0; level <= steps.length; level += 1) {
    const isDone = level <= shown;
    const isTop = level === steps.length;
    const label = level === 0 ? `entry ${index}` : range(...steps[level - 1].above);
    parts.push(node(MIDDLE, y(level), label, isDone ? brief(hashes[level]) : "", isTop && isUp ? (holds ? "top holds" : "top fails") : isDone ? "own" : "later"));
  }
  return s("svg", { class: "climb", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `${words} The signed number is ${hex(head.root).slice(0, 16)}.` }, parts);
}

function node(x, y, label, hash, kind) {
  return s("g", { class: `node ${kind}` }, s("rect", { x: x - 52, y: y - 17, width: 104, height: 36, rx: 6 }), s("text", { x, y: y - 3, "text-anchor": "middle" }, label), s("text", { x, y: y + 12, "text-anchor": "middle", class: "hash" }, hash));
}
