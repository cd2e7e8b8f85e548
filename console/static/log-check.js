// Checking a public log in the browser: its policy, its signed checkpoint, its witnesses. Nothing here believes the console.
// The formats are those of https://c2sp.org: tlog-policy, signed-note, tlog-checkpoint, tlog-cosignature.

const NOTE = 0x01; // an Ed25519 key that signs the text of a note
const COSIGNATURE = 0x04; // one that signs a checkpoint and a time
const encoder = new TextEncoder();

/** Whether this browser can check anything: it does so on https and on this machine alone. */
export const canCheck = () => Boolean(globalThis.crypto?.subtle);

export const sha256 = async (...pieces) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(pieces)));
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const same = (one, other) => hex(one) === hex(other);

export function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** `name+id+key`: whose key it is. Rejects one whose id is not that of its key. */
async function parseKey(text) {
  const [name, id, ...rest] = text.split("+");
  const bytes = fromBase64(rest.join("+"));
  const digest = await sha256(encoder.encode(`${name}\n`), bytes);
  if (hex(digest.slice(0, 4)) !== id) throw new Error(`The key of ${name} is not the one that its number says.`);
  return { name, id: digest.slice(0, 4), type: bytes[0], key: bytes.slice(1) };
}

/** By what a log is to be verified: its keys, its witnesses, and how many of them have to agree. */
export async function parsePolicy(text) {
  const policy = { logs: [], witnesses: new Map(), groups: new Map(), quorum: "none" };
  for (const line of text.split("\n")) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === "log") policy.logs.push(await parseKey(rest[0]));
    else if (word === "witness") policy.witnesses.set(rest[0], await parseKey(rest[1]));
    else if (word === "group") policy.groups.set(rest[0], { needs: rest[1], members: rest.slice(2) });
    else if (word === "quorum") policy.quorum = rest[0];
  }
  if (policy.logs.length === 0) throw new Error("The policy names no key of the log.");
  return policy;
}

function isMet(policy, name, agreed) {
  if (name === "none") return true;
  const group = policy.groups.get(name);
  if (!group) return agreed.has(name);
  const met = group.members.filter((member) => isMet(policy, member, agreed)).length;
  const needed = group.needs === "any" ? 1 : group.needs === "all" ? group.members.length : Number(group.needs);
  return met >= needed;
}

function parseNote(bytes) {
  const whole = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const at = whole.lastIndexOf("\n\n");
  if (at < 0) throw new Error("The checkpoint is not a signed note.");
  const signatures = whole
    .slice(at + 2)
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [, name, data] = line.split(" ");
      const decoded = fromBase64(data);
      return { name, id: decoded.slice(0, 4), data: decoded.slice(4) };
    });
  return { text: whole.slice(0, at + 1), signatures };
}

async function verifies(key, signature, message) {
  const imported = await crypto.subtle.importKey("raw", key.key, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
}

const isOf = (signature, key) => signature.name === key.name && same(signature.id, key.id);

/** What a checkpoint says, and who stands for it: each signature is checked here. */
export async function checkCheckpoint(bytes, policy) {
  const { text, signatures } = parseNote(bytes);
  const [origin, size, root] = text.split("\n");
  const message = encoder.encode(text);
  const checked = { origin, size: Number(size), root: fromBase64(root), signed: false, cosigned: [], enough: false };
  for (const key of policy.logs) {
    const found = signatures.filter((signature) => isOf(signature, key) && key.type === NOTE);
    for (const signature of found) if (await verifies(key, signature.data, message)) checked.signed = key.name === origin;
  }
  const agreed = new Set();
  for (const [name, key] of policy.witnesses) {
    for (const signature of signatures.filter((one) => isOf(one, key) && key.type === COSIGNATURE)) {
      const time = Number(new DataView(signature.data.buffer, signature.data.byteOffset).getBigUint64(0));
      const cosigned = encoder.encode(`cosignature/v1\ntime ${time}\n${text}`);
      const holds = await verifies(key, signature.data.slice(8), cosigned);
      checked.cosigned.push({ name, time, holds });
      if (holds) agreed.add(name);
    }
  }
  checked.enough = isMet(policy, policy.quorum, agreed);
  return checked;
}
