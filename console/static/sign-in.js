// The token stands behind the # of the link: it is given to the console here, and taken out of the address at once.

import { ask } from "/static/api.js";
import { at, put } from "/static/dom.js";

async function signIn() {
  const token = location.hash.slice(1);
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  try {
    const { start } = await ask("/sign-in", { token });
    location.replace(start);
  } catch (error) {
    put(at("say"), `${error.message} Ask for another link.`);
  }
}

addEventListener("hashchange", signIn);
await signIn();
