// The tree of a public log, out of its tiles (https://c2sp.org/tlog-tiles), and paths through it (RFC 9162, 2.1.3).
// What tiles say is worth as much as the path that is made of them: it has to lead to the root that was signed.

import { joined, sha256 } from "/static/log-check.js";

const WIDTH = 256;
const HEIGHT = 8;
const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

export const leafHash = (entry) => sha256(LEAF, entry);
export const nodeHash = (left, right) => sha256(NODE, left, right);

/** How far left the larger part of a tree of `size` leaves reaches: the largest power of two below it. */
function split(size) {
  let at = 1;
  while (at * 2 < size) at *= 2;
  return at;
}

function numberPath(index, width) {
  const groups = [String(index % 1000).padStart(3, "0")];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) groups.unshift(`x${String(rest % 1000).padStart(3, "0")}`);
  return groups.join("/") + (width === WIDTH ? "" : `.p/${width}`);
}

export class LogTree {
  #read;
  #tiles = new Map();
  #bundles = new Map();

  /** `read(path)` resolves with the bytes of a file of the log. */
  constructor(size, read) {
    this.size = size;
    this.#read = read;
  }

  /** The bytes of an entry. */
  async entry(index) {
    const bundle = Math.floor(index / WIDTH);
    if (!this.#bundles.has(bundle)) this.#bundles.set(bundle, this.#readBundle(bundle));
    return (await this.#bundles.get(bundle))[index % WIDTH];
  }

  async #readBundle(bundle) {
    const width = Math.min(this.size - bundle * WIDTH, WIDTH);
    const data = await this.#read(`tile/entries/${numberPath(bundle, width)}`);
    const entries = [];
    for (let at = 0; at < data.length; ) {
      const length = (data[at] << 8) | data[at + 1];
      entries.push(data.slice(at + 2, at + 2 + length));
      at += 2 + length;
    }
    return entries;
  }

  /** The hash above the leaves from `low` up to and without `high`. */
  async range(low, high) {
    const size = high - low;
    if ((size & (size - 1)) === 0 && low % size === 0) return this.#complete(low, size);
    const middle = low + split(size);
    return nodeHash(await this.range(low, middle), await this.range(middle, high));
  }

  // A complete subtree is above 2^up hashes of one tile.
  async #complete(low, size) {
    const height = Math.log2(size);
    const level = Math.floor(height / HEIGHT);
    const up = height % HEIGHT;
    const first = low / 2 ** (HEIGHT * level);
    const tile = await this.#tile(level, Math.floor(first / WIDTH));
    let hashes = tile.slice(first % WIDTH, (first % WIDTH) + 2 ** up);
    while (hashes.length > 1) {
      const above = [];
      for (let at = 0; at < hashes.length; at += 2) above.push(await nodeHash(hashes[at], hashes[at + 1]));
      hashes = above;
    }
    return hashes[0];
  }

  #tile(level, index) {
    const key = `${level}/${index}`;
    if (!this.#tiles.has(key)) {
      const inLevel = Math.floor(this.size / 2 ** (HEIGHT * level));
      const width = Math.min(inLevel - index * WIDTH, WIDTH);
      this.#tiles.set(
        key,
        this.#read(`tile/${level}/${numberPath(index, width)}`).then((data) => {
          const hashes = [];
          for (let at = 0; at < width; at += 1) hashes.push(data.slice(at * 32, at * 32 + 32));
          return hashes;
        }),
      );
    }
    return this.#tiles.get(key);
  }

  /** The two parts below a range; none below a leaf. */
  children(low, high) {
    if (high - low < 2) return [];
    const middle = low + split(high - low);
    return [
      [low, middle],
      [middle, high],
    ];
  }

  /** The neighbours on the way from a leaf to the root, the lowest first: where each is, and its hash. */
  async path(index) {
    const steps = [];
    let [low, high] = [0, this.size];
    while (high - low > 1) {
      const [left, right] = this.children(low, high);
      const isLeft = index < left[1];
      const [own, other] = isLeft ? [left, right] : [right, left];
      steps.unshift({ side: isLeft ? "right" : "left", low: other[0], high: other[1], above: [low, high], hash: await this.range(...other) });
      [low, high] = own;
    }
    return steps;
  }
}

/** Climb from an entry to the top: the hash after each step. */
export async function climb(entry, steps) {
  const hashes = [await leafHash(entry)];
  for (const step of steps) {
    const below = hashes.at(-1);
    hashes.push(await (step.side === "left" ? nodeHash(step.hash, below) : nodeHash(below, step.hash)));
  }
  return hashes;
}

export { joined };
