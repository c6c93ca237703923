// The list of questions beside the question, and the filters above it.
"use strict";

const List = (() => {
  const WINDOW = 100;
  const byId = (id) => document.getElementById(id);

  // One entry of the list: picture, id, the question's beginning, and who was right.
  function item(shown, state, k) {
    const { pool, own, marks, entry } = shown;
    const thumb = pool.thumbs[k]
      ? Text.el("img", { src: `images/${pool.thumbs[k]}`, alt: "", loading: "lazy", width: 44, height: 44 })
      : Text.el("span", { className: "q-no-thumb" });
    const signs = [];
    if (entry.kind === "best") {
      signs.push(mark("critic", own.pickRight[k]));
      if (marks.vote[k] !== null) signs.push(mark("vote", marks.voteRight[k]));
      if (!marks.right[k]) signs.push(Text.el("span", { className: "q-sign" }, "none right"));
    } else {
      signs.push(...stepSigns(own.calls[k], marks.labels[k]));
    }
    if (own.failed[k]) signs.push(Text.el("span", { className: "q-sign q-bad" }, `${own.failed[k]} failed`));
    const link = Text.el("a", { href: State.address({ ...state, question: pool.ids[k] }) },
      thumb,
      Text.el("span", { className: "q-entry" },
        Text.el("b", {}, Text.span(pool.ids[k])),
        Text.el("span", { className: "q-head" }, Text.span(pool.heads[k], ""))),
      Text.el("span", { className: "q-signs" }, signs));
    link.dataset.position = k;
    if (k === shown.position) link.setAttribute("aria-current", "true");
    return Text.el("li", {}, link);
  }

  function mark(who, isRight) {
    return Text.el("span", { className: `q-sign ${isRight ? "q-good" : "q-bad"}` }, `${who} ${isRight ? "right" : "wrong"}`);
  }

  function stepSigns(calls, labels) {
    let misses = 0;
    let alarms = 0;
    for (let k = 0; k < Math.min(calls.length, labels.length); k++) {
      if (labels[k] === "-" && calls[k] === "+") misses++;
      if (labels[k] === "+" && calls[k] === "-") alarms++;
    }
    const signs = [];
    if (misses) signs.push(Text.el("span", { className: "q-sign q-bad" }, `${misses} missed`));
    if (alarms) signs.push(Text.el("span", { className: "q-sign q-bad" }, Text.plural(alarms, "false alarm")));
    if (!misses && !alarms && calls) signs.push(Text.el("span", { className: "q-sign q-good" }, "all steps"));
    return signs;
  }

  function more(words, action) {
    const button = Text.el("button", { type: "button", className: "q-more" }, words);
    button.addEventListener("click", action);
    return Text.el("li", {}, button);
  }

  let drawn = ""; // what the list was drawn for

  // Show the questions that are left, a window of them around the present one.
  function show(shown, state) {
    const list = byId("q-list");
    const wanted = State.address({ ...state, question: null });
    const link = [...list.querySelectorAll("a")].find((other) => other.dataset.position === String(shown.position));
    if (drawn === wanted && link) {
      for (const other of list.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
      link.setAttribute("aria-current", "true");
    } else {
      draw(list, shown, state);
      drawn = wanted;
    }
    intoView(list);
    const all = shown.pool.ids.length;
    byId("q-count").textContent = shown.left.length === all
      ? Text.plural(all, "question")
      : `${shown.left.length.toLocaleString("en")} of ${Text.plural(all, "question")}`;
    byId("q-clear").hidden = !filtered(state);
  }

  function draw(list, shown, state) {
    const at = Math.max(0, shown.left.indexOf(shown.position));
    let first = Math.max(0, at - WINDOW / 2);
    let last = Math.min(shown.left.length, first + WINDOW);
    list.classList.toggle("q-without-thumbs", !shown.pool.thumbs.some(Boolean));
    const fill = () => {
      const items = shown.left.slice(first, last).map((k) => item(shown, state, k));
      if (first > 0) items.unshift(more(`${Text.plural(first, "question")} before`, () => { first = Math.max(0, first - WINDOW); fill(); }));
      const after = shown.left.length - last;
      if (after > 0) items.push(more(`${Text.plural(after, "question")} after`, () => { last = Math.min(shown.left.length, last + WINDOW); fill(); }));
      if (!shown.left.length) items.push(Text.el("li", { className: "q-state" }, "No question is left by these filters."));
      list.replaceChildren(...items);
    };
    fill();
  }

  function intoView(list) {
    const current = list.querySelector("[aria-current]");
    if (current && outside(current, list)) list.scrollTop += current.getBoundingClientRect().top - list.getBoundingClientRect().top - 60;
  }

  function outside(element, box) {
    const inner = element.getBoundingClientRect();
    const outer = box.getBoundingClientRect();
    return inner.top < outer.top || inner.bottom > outer.bottom;
  }

  function filtered(state) {
    return state.filters.length > 0 || state.category !== "" || state.min !== "" || state.max !== "" || state.search !== "";
  }

  let made = ""; // the result that the filters were made for

  // The filters and what is set of them; they are made once for a result, so that a field keeps its focus.
  function showFilters(shown, state, change) {
    if (made !== shown.entry.slug) makeFilters(shown, change);
    made = shown.entry.slug;
    for (const box of byId("q-filters").querySelectorAll("input")) box.checked = state.filters.includes(box.value);
    byId("q-category").value = state.category;
    for (const [id, value] of [["q-min", state.min], ["q-max", state.max], ["q-search", state.search]]) {
      if (document.activeElement !== byId(id)) byId(id).value = value;
    }
  }

  // Every filter with the number of questions it leaves.
  function makeFilters(shown, change) {
    const rows = State.FILTERS[shown.entry.kind].map(([name, words, test]) => {
      let count = 0;
      for (let k = 0; k < shown.pool.ids.length; k++) if (test(k, shown.own, shown.marks, shown.others)) count++;
      const box = Text.el("input", { type: "checkbox", value: name });
      box.addEventListener("change", () => {
        const others = State.read().filters.filter((other) => other !== name);
        change({ filters: box.checked ? [...others, name] : others, question: null });
      });
      return Text.el("label", {}, box, Text.el("span", {}, words), Text.el("span", { className: "q-number" }, count.toLocaleString("en")));
    });
    byId("q-filters").replaceChildren(Text.el("legend", {}, "Show only where"), ...rows);
    const choices = shown.pool.categories.map((column) =>
      Text.el("optgroup", { label: Text.line(column.name, 60) },
        column.labels.map((label) => Text.el("option", { value: State.join(column.name, label) }, Text.line(label, 60)))));
    const select = byId("q-category");
    select.replaceChildren(Text.el("option", { value: "" }, "any"), ...choices);
    select.parentElement.hidden = !choices.length;
    byId("q-range-name").textContent = shown.entry.kind === "best" ? "Score of the pick" : "Lowest step score";
  }

  return { show, showFilters };
})();
