// Asking the console for something. Errors are sentences.

/** GET, or POST where there is a body; resolves with what was answered, rejects with an `Error` that can be shown. */
export async function ask(path, body) {
  const options = { headers: { accept: "application/json" } };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The console does not answer. Is it still running?");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  if (answer.status === 401) document.dispatchEvent(new Event("signed-out"));
  const problem = await answer.json().catch(() => ({}));
  throw new Error(problem.detail ?? `The console answered with status ${answer.status}.`);
}
