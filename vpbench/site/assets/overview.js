// What a script adds to the tables of the pages: the switch of N, sorting, search, columns, copying what is shown.
// Loaded before the page is drawn, so that nothing moves; without it all tables stand below each other.
"use strict";

document.documentElement.classList.add("js");

const rowsOf = (panel) => [...panel.querySelectorAll("tbody tr")];

/** The order of two cells in a column: numbers by size, then texts; what says nothing is last, whichever way. */
function compare(first, second, sign) {
  if (first === undefined || second === undefined) return (first === undefined) - (second === undefined);
  const difference = Number(first) - Number(second);
  if (!Number.isNaN(difference)) return sign * difference;
  return sign * String(first).localeCompare(String(second), undefined, { numeric: true });
}

class Ranking {
  constructor(element) {
    this.element = element;
    this.panels = [...element.querySelectorAll(".panel")];
    this.sort = { column: null, descending: true };
    this.hidden = new Set([...element.querySelectorAll("thead [data-off]")].map((head) => head.dataset.column));
    this.said = element.querySelector(".said");
    this.search = element.querySelector("input[type=search]");
    this.filter = element.querySelector("select");
    this.listen();
    this.addSorting();
    this.showColumns();
    this.show(element.querySelector(".switch input:checked")?.value);
  }

  listen() {
    this.element.addEventListener("change", ({ target }) => {
      if (target.type === "radio") this.show(target.value);
      if (target.type === "checkbox") {
        this.hidden[target.checked ? "delete" : "add"](target.value);
        this.showColumns();
      }
      if (target === this.filter) this.showRows();
    });
    this.search.addEventListener("input", () => this.showRows());
    this.element.addEventListener("click", ({ target }) => {
      if (target.matches(".copy button")) this.copy(target.dataset.style, target.textContent);
      if (target.matches(".reset")) this.reset();
    });
    const menu = this.element.querySelector(".columns");
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
    document.addEventListener("click", ({ target }) => {
      if (!menu.contains(target)) menu.open = false;
    });
  }

  get chosen() {
    return this.panels.find((panel) => panel.classList.contains("chosen")) ?? this.panels[0];
  }

  show(n) {
    if (n !== undefined) for (const panel of this.panels) panel.classList.toggle("chosen", panel.dataset.n === n);
    this.showRows();
  }

  addSorting() {
    for (const head of this.element.querySelectorAll("thead th")) {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort by this column";
      button.className = "sort";
      const title = head.querySelector(".sort");
      button.append(...title.childNodes);
      title.replaceWith(button);
      button.addEventListener("click", () => this.sortBy(head.dataset.column));
    }
  }

  sortBy(column) {
    const again = this.sort.column === column;
    // the highest first; names from A
    this.sort = { column, descending: again ? !this.sort.descending : column !== "" };
    for (const panel of this.panels) {
      const body = panel.querySelector("tbody");
      const value = (row) =>
        column === "" ? row.cells[0].textContent.trim() : row.querySelector(`[data-column="${CSS.escape(column)}"]`)?.dataset.value;
      const rows = [...body.rows].sort((one, two) => compare(value(one), value(two), this.sort.descending ? -1 : 1));
      body.append(...rows);
      for (const head of panel.querySelectorAll("thead th")) {
        if (head.dataset.column !== column) head.removeAttribute("aria-sort");
        else head.setAttribute("aria-sort", this.sort.descending ? "descending" : "ascending");
      }
    }
  }

  showColumns() {
    for (const cell of this.element.querySelectorAll("[data-column]")) {
      cell.removeAttribute("data-off");
      cell.classList.toggle("off", this.hidden.has(cell.dataset.column));
    }
  }

  showRows() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const flag = this.filter?.value ?? "";
    let shown = 0;
    for (const row of this.chosen.querySelectorAll("tbody:not(.controls) tr")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word)) || (flag !== "" && !row.dataset.flags.split(" ").includes(flag));
      shown += !row.hidden;
    }
    this.chosen.querySelector(".none").hidden = shown > 0;
  }

  reset() {
    this.search.value = "";
    if (this.filter) this.filter.value = "";
    this.showRows();
    this.search.focus();
  }

  /** The text of the panel in a format, with the rows that are shown, in their order. */
  text(style) {
    const source = this.chosen.querySelector(`pre[data-style="${style}"]`);
    const lines = source.textContent.split("\n");
    const [start, per] = [Number(source.dataset.start), Number(source.dataset.per)];
    const rows = rowsOf(this.chosen);
    const shown = rows.filter((row) => !row.hidden);
    const picked = shown.flatMap(({ dataset }) => lines.slice(start + per * dataset.row, start + per * dataset.row + per));
    return [[...lines.slice(0, start), ...picked, ...lines.slice(start + per * rows.length)].join("\n"), shown.length];
  }

  async copy(style, label) {
    const [text, count] = this.text(style);
    const done = await toClipboard(text);
    this.said.textContent = done ? `${count} ${count === 1 ? "row" : "rows"} copied as ${label}` : "This browser doesn't let a page copy";
  }
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // a page that isn't from a secure origin has no clipboard of the newer kind
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  for (const element of document.querySelectorAll(".ranking")) new Ranking(element);
});
