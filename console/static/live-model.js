// What the three streams have told, put together by the ids that the relay gives its records: plain data, no page.
//
// A row is one message, or the same words in two postures. A record that belongs to no message that we know of is a receipt or a
// copy for the sender's other devices; the relay cannot tell, and it is counted with the message before it.

const KEPT_MESSAGES = 60;
const KEPT_RECORDS = 600;

export class Model {
  written = new Map(); // id of the letter -> what was written
  records = new Map(); // id of the envelope -> what the relay keeps
  yields = new Map(); // id of the envelope -> what the court got
  facts = { clients: new Map(), relay: new Map(), authority: new Map() }; // what there is once: the order, the pace, the totals

  /** One frame of a stream. */
  take(items, { whole }, stream) {
    const own = { clients: this.written, relay: this.records, authority: this.yields }[stream];
    const facts = this.facts[stream];
    if (whole) {
      own.clear();
      facts.clear();
    }
    const kind = { clients: "written", relay: "record", authority: "yielded" }[stream];
    for (const item of items) {
      if (item.gone) {
        own.delete(item.key);
        facts.delete(item.key);
      } else (item.kind === kind ? own : facts).set(item.key, item);
    }
    trim(own, stream === "clients" ? KEPT_MESSAGES : KEPT_RECORDS);
  }

  /** What there is once, as a stream has told it; undefined when it has not. */
  fact(stream, key) {
    return this.facts[stream].get(key);
  }

  /** The rows, the newest first. Without people to look at, each record is a row. */
  rows(withPeople) {
    return withPeople ? this.#messages() : this.#bare();
  }

  #messages() {
    const rows = new Map();
    for (const written of this.written.values()) {
      if (!rows.has(written.pair)) rows.set(written.pair, { key: `m${written.pair}`, number: written.pair, sendings: [] });
      rows.get(written.pair).sendings.push({ written, records: [], rest: [] });
    }
    const owners = new Map();
    for (const row of rows.values()) {
      row.sendings.sort((one, other) => one.written.number - other.written.number);
      for (const sending of row.sendings) for (const id of Object.keys(sending.written.envelopes)) owners.set(id, sending);
    }
    let latest = null;
    const inOrder = [...this.records.values()].sort((one, other) => one.number - other.number);
    for (const record of inOrder) {
      const owner = owners.get(record.key);
      const entry = { record, yielded: this.yields.get(record.key) ?? null };
      if (owner) owner.records.push(entry);
      else latest?.rest.push(entry);
      latest = owner ?? latest;
    }
    const recipient = (entry) => entry.record.recipient ?? "";
    for (const row of rows.values()) {
      for (const { records } of row.sendings) records.sort((one, other) => recipient(one).localeCompare(recipient(other)));
    }
    return [...rows.values()].sort((one, other) => other.number - one.number);
  }

  #bare() {
    return [...this.records.values()]
      .sort((one, other) => other.number - one.number)
      .map((record) => ({
        key: `r${record.key}`,
        number: record.number,
        sendings: [{ written: null, records: [{ record, yielded: this.yields.get(record.key) ?? null }], rest: [] }],
      }));
  }
}

function trim(map, kept) {
  while (map.size > kept) map.delete(map.keys().next().value);
}
