"""The console: a web page that shows one message from three sides, and serves the people who work with a relay.

It is a process of its own. It reads what a relay keeps the way its operator can (files, the desk's operator routes), plaintext
from the process of the demonstration's clients, and nothing of it ever goes back: no line of the relay imports this room.

    browser  <-- pages, JSON, server-sent events -->  console  <-- JSON lines -->  demo clients (`cast/`)
                                                         |  reads --> relay's files, public logs, desk

Where things are:

    rights.py        who may see and do what: one table
    sessions.py      one-time links and the sessions that they become
    security.py      what every answer carries, and where a change may come from
    channels.py      what is live: one channel for each point of view, each a bounded set of states
    relay_watch.py   whether the relay is there
    desktop.py       `Desktop`: what the views are given
    application.py   the web application: pages, streams, files
    server.py        listens, and stops though streams are open
    view.py          what a view is; `views/` holds one module for each
    templates/       one page for each view, on `base.html`
    static/          `console.css` (the one stylesheet), one ES module for each view, and what they share

To add or fill a view `x`:

 1. `views/x.py` has `VIEW = View("x", ...)` and, if it needs data, a function that returns its routes below `/api/x`.
 2. `views/__init__.py` lists it, in the order of the navigation.
 3. `templates/x.html` extends `base.html`; `static/x.js` is loaded with it. Words of people reach the page as text nodes alone
    (`dom.js`): the browser is told to refuse anything else.
 4. What is live is put into a channel of `Desktop.channels` as a state under a key; `stream.js` hands it to the page.
 5. `tests/console/` has a browser test for each view: keyboard, axe, light and dark, narrow and wide, empty, relay away.
"""
