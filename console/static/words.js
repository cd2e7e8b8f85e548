// What the terms of the law and of the policies are called on these pages.

const COUNTRIES = { pk: "Pakistan", us: "United States", uk: "United Kingdom", eu: "European Union", in: "India", au: "Australia", de: "Germany", fr: "France" };
const CLASSES = { SUBSCRIBER: "Who has an account", ACCESS: "Connections", TRAFFIC: "Who wrote to whom", CONTENT: "Words", KEYS: "Keys" };
const GIVEN = new Set(["granted", "narrowed", "preserved"]);
const MARKS = { C: "read in the statute itself", S: "from a secondary source", U: "not confirmed" };
const MODES = { stored: "From what is kept", preserve: "Keep it from deletion", stream: "As it happens" };

export const country = (code) => COUNTRIES[code] ?? code.toUpperCase();
export const className = (name) => CLASSES[name] ?? name;
export const mark = (letter) => MARKS[letter] ?? letter;
export const modeName = (mode) => MODES[mode] ?? mode;
export const plain = (word) => word.replaceAll("-", " ");
/** What an outcome means for whoever asked: given (metadata), refused, or neither yet. */
export const kindOf = (word) => (GIVEN.has(word) ? "metadata" : word === "held" || word === null ? "" : "refused");
