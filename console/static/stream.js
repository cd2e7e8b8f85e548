// Live states from the console: one stream for each point of view. Browsers allow about six connections to one address, so a
// stream is closed while its page is hidden; coming back brings everything that is so now.

/**
 * Follow a stream. `take(items, { whole, dropped })` gets states: each has a `key`, and replaces what was said of it before;
 * `gone` says that it is not there any more. `whole`: these are all there are.
 */
export function follow(name, take) {
  let source = null;
  const open = () => {
    if (source !== null || document.hidden) return;
    source = new EventSource(`/events/${name}`);
    source.onopen = () => tell("open");
    source.onmessage = (event) => {
      const frame = JSON.parse(event.data);
      take(frame.items, frame);
    };
    source.onerror = () => {
      const over = source.readyState === EventSource.CLOSED;
      tell(over ? "refused" : "lost");
      // The console was started anew, perhaps, and knows us no more; or it is not there yet. Ask again, in a moment.
      if (over) {
        close();
        setTimeout(open, 1000);
      }
    };
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const tell = (state) => document.dispatchEvent(new CustomEvent("stream", { detail: { name, state } }));
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
