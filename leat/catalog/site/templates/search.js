"use strict";
(() => {
  const entries = JSON.parse(document.getElementById("entries").textContent);
  const form = document.getElementById("search");
  const input = document.getElementById("words");
  const found = document.getElementById("found");
  const hits = document.getElementById("hits");
  const shown = 40;
  const texts = entries.map(([name, , description]) => `${name} ${description}`.toLowerCase());

  // A hit in the name comes before one in the description, a short name before a long one.
  const rank = (i, words) => (words.every((word) => entries[i][0].toLowerCase().includes(word)) ? 0 : 1000) + entries[i][0].length;

  const look = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = words.length === 0 ? [] : texts.flatMap((text, i) => (words.every((word) => text.includes(word)) ? [i] : []));
    matching.sort((a, b) => rank(a, words) - rank(b, words));
    hits.replaceChildren(...matching.slice(0, shown).map((i) => {
      const [name, address, description] = entries[i];
      const link = document.createElement("a");
      link.href = address;
      link.textContent = name;
      const item = document.createElement("li");
      item.append(link, ` ${description}`);
      return item;
    }));
    const more = matching.length > shown ? `, the first ${shown} are shown` : "";
    found.textContent = words.length === 0 ? "" : `${matching.length} match${matching.length === 1 ? "" : "es"}${more}`;
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", look);
  look();
})();
