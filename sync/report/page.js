// Filters, sorts and searches the list. Every text becomes text, never markup.
"use strict";
(async () => {
  const PAGE = 100;
  const bytes = Uint8Array.from(atob(document.getElementById("packed").textContent), (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const all = await new Response(stream).json();
  const word = (number) => all.words[number];
  const table = document.getElementById("items");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent);
  const form = document.getElementById("filter");
  const more = document.getElementById("more");
  const told = document.getElementById("told");
  const texts = all.key.map((_, row) => searched(row));
  let chosen = [];
  let shown = 0;
  let by = null;
  let down = false;

  function reasons(row) {
    return all.found[row].map(([, reason]) => word(reason)).join("; ");
  }

  function searched(row) {
    const parts = [all.key[row], all.title[row], word(all.project[row]), word(all.owner[row]), word(all.status[row])];
    return [...parts, reasons(row)].join("\n").toLowerCase();
  }

  function cell(line, at, text) {
    const made = line.insertCell();
    made.dataset.name = names[at];
    if (heads[at].classList.contains("n")) made.className = "n";
    made.append(text);
    return made;
  }

  function link(row) {
    const made = document.createElement("a");
    made.textContent = all.key[row];
    made.href = all.url[row];
    made.target = "_blank";
    made.rel = "noopener noreferrer";
    return made;
  }

  function draw(row) {
    const line = body.insertRow();
    const first = cell(line, 0, all.url[row] ? link(row) : all.key[row]);
    first.append(" " + all.title[row]);
    ["source", "project", "owner", "status"].forEach((name, at) => cell(line, at + 1, word(all[name][row])));
    const days = all.days[row];
    cell(line, 5, days === null ? "" : (all.least[row] ? "≥ " : "") + days.toLocaleString("en"));
    cell(line, 6, word(all.grade[row]).replaceAll("_", " "));
    cell(line, 7, reasons(row));
  }

  function page() {
    chosen.slice(shown, shown + PAGE).forEach(draw);
    shown = Math.min(chosen.length, shown + PAGE);
    more.hidden = shown === chosen.length;
    const count = chosen.length.toLocaleString("en");
    const some = shown < chosen.length ? `, of which the first ${shown.toLocaleString("en")} are shown` : "";
    told.textContent = `${count} ${chosen.length === 1 ? "item" : "items"}${some}.`;
  }

  function keeps(row, want) {
    if (want.text && !want.text.every((part) => texts[row].includes(part))) return false;
    if (["source", "project", "owner"].some((name) => want[name] && "=" + word(all[name][row]) !== want[name])) return false;
    if (want.rule === "*") return all.found[row].length > 0;
    return !want.rule || all.found[row].some(([rule]) => "=" + word(rule) === want.rule);
  }

  const RANKS = ["missing", "placeholder", "technical", "vague", "no_baseline", "no_target", "unreviewed", "complete"];
  const order = new Intl.Collator("en", { numeric: true }).compare;

  function value(row) {
    if (by === "days") return all.days[row] ?? -1;
    if (by === "found") return all.found[row].length;
    if (by === "grade") return RANKS.indexOf(word(all.grade[row]));
    return by === "key" ? all.key[row] : word(all[by][row]);
  }

  function sorted(rows) {
    if (by === null) return rows;
    const worth = rows.map((row) => [value(row), row]);
    const numbers = worth.length > 0 && typeof worth[0][0] === "number";
    worth.sort(([one, at], [other, there]) => (numbers ? one - other : order(one, other)) * (down ? -1 : 1) || at - there);
    return worth.map(([, row]) => row);
  }

  function show() {
    const want = Object.fromEntries(new FormData(form));
    want.text = want.text.toLowerCase().split(/\s+/).filter(Boolean);
    chosen = sorted([...all.key.keys()].filter((row) => keeps(row, want)));
    shown = 0;
    body.replaceChildren();
    page();
  }

  function sort(head) {
    const same = by === head.dataset.sort;
    down = same ? !down : head.classList.contains("n") || head.dataset.sort === "found";
    by = head.dataset.sort;
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    show();
  }

  function offer(name, numbers) {
    const found = [...new Set(numbers)].map(word).sort(order);
    const nameless = "no " + name;
    form.elements[name].append(...found.map((text) => new Option(text || nameless, "=" + text)));
  }

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(head));
    head.replaceChildren(button);
  }
  for (const name of ["source", "project", "owner"]) offer(name, all[name]);
  offer("rule", all.found.flatMap((found) => found.map(([rule]) => rule)));
  form.hidden = false;
  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 120);
  });
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    const next = body.rows.length;
    page();
    body.rows[next]?.querySelector("a")?.focus();
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = true)));
  show();
  document.documentElement.dataset.ready = "yes";
})();
