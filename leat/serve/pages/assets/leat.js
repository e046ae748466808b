// Times in the zone of the browser, where the reader has chosen none: pages come in it once the cookie is there.
const root = document.documentElement;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (root.dataset.zoneChosen !== "yes" && zone && root.dataset.zone !== zone) {
  const [prefix, secure] = location.protocol === "https:" ? ["__Host-", "; Secure"] : ["", ""];
  document.cookie = `${prefix}leat_browser_zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  const shown = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  for (const time of document.querySelectorAll("time:not([data-ago])")) {
    time.textContent = shown.format(new Date(time.dateTime)).replace(",", "");
  }
  for (const name of document.querySelectorAll("[data-zone-name]")) name.textContent = zone;
}
// Filters apply as soon as one is chosen; without this, their button does it.
for (const select of document.querySelectorAll("form.filters select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
// A button that changes something is pressed once.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.defaultPrevented || event.submitter?.dataset.file !== undefined) return;
  for (const button of event.target.querySelectorAll("button")) {
    setTimeout(() => { button.disabled = true; }, 0);
    setTimeout(() => { button.disabled = false; }, 10000);
  }
});
// What is to be copied is copied by a button; without this, one marks it.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}
// The editor of queries: Ctrl+Enter runs, names of tables are inserted, and a query that runs can be cancelled.
const editor = document.querySelector("#query");
if (editor) {
  const text = editor.elements.sql;
  const running = document.querySelector("#running");
  let asked = null;
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    editor.requestSubmit(editor.querySelector("button"));
  });
  document.addEventListener("click", (event) => {
    const name = event.target.closest("[data-insert]");
    if (!name) return;
    event.preventDefault();
    text.setRangeText(name.dataset.insert, text.selectionStart, text.selectionEnd, "end");
    text.focus();
  });
  document.querySelector("#cancel").addEventListener("click", () => asked?.abort());
  editor.addEventListener("submit", async (event) => {
    if (event.submitter?.dataset.file !== undefined) return;
    event.preventDefault();
    asked?.abort();
    const mine = (asked = new AbortController());
    running.hidden = false;
    const answer = document.querySelector("#answer");
    answer.replaceChildren();
    try {
      const body = new URLSearchParams(new FormData(editor));
      const response = await fetch("/query", { method: "POST", body, signal: mine.signal });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (response.redirected) location.assign(response.url);
      answer.replaceChildren(...(page.querySelector("#answer") ?? page.querySelector("main")).childNodes);
    } catch (error) {
      answer.textContent = error.name === "AbortError" ? "The query was cancelled." : "The server didn't answer. Try again.";
    }
    if (asked === mine) running.hidden = true;
  });
}
// A page that waits for a program which is starting is loaded again when that has started, or can't.
const waits = document.querySelector("[data-wait]");
if (waits) {
  const look = async () => {
    const answer = await fetch(waits.dataset.wait).then((got) => got.json()).catch(() => ({ starting: true }));
    if (answer.starting) setTimeout(look, 1000);
    else location.reload();
  };
  setTimeout(look, 1000);
}
