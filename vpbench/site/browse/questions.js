// The browser of questions: reads the address, loads what it names, and shows it.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  let catalogue = [];
  let shown = null; // what of the chosen result is loaded
  let turn = 0; // the latest of the views that are being loaded
  let wasOpened = false; // whether the list of questions was ever filled: it opens then, not before, so that nothing moves

  function change(changes, replace = false) {
    const address = State.address({ ...State.read(), ...changes });
    if (address === location.hash) return;
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    update();
  }

  function failed(error) {
    const again = Text.el("button", { type: "button" }, "Try again");
    again.addEventListener("click", () => (catalogue.length ? update() : start()));
    byId("q-where").textContent = "Not loaded";
    say(Text.el("p", { className: "q-state", role: "alert" }, String(error.message || error)), again);
  }

  // What had the focus and is made anew, as the choice of an order, gets it again.
  function say(...elements) {
    const kept = document.activeElement.dataset.keep;
    byId("q-body").replaceChildren(...elements);
    if (kept) byId("q-body").querySelector(`[data-keep="${kept}"]`)?.focus();
    byId("q-body").setAttribute("aria-busy", "false");
  }

  function chooseResults(state) {
    const label = (entry) => `${Text.line(entry.task, 40)}: ${Text.line(entry.name, 60)}, ${Text.line(entry.policy, 40)}, ${entry.size}`;
    const groups = new Map();
    for (const entry of catalogue) {
      const title = entry.nano ? `${entry.title} (miniature world)` : entry.title;
      if (!groups.has(title)) groups.set(title, []);
      groups.get(title).push(Text.el("option", { value: entry.slug }, label(entry)));
    }
    byId("q-result").replaceChildren(...[...groups].map(([title, options]) => Text.el("optgroup", { label: Text.line(title, 60) }, options)));
    byId("q-result").value = state.result;
    byId("q-result").disabled = false;
  }

  function chooseBeside(state) {
    const others = shown.all.filter((critic) => critic.entry.slug !== shown.entry.slug);
    byId("q-with").replaceChildren(
      Text.el("option", { value: "" }, others.length ? "nothing" : "no other result"),
      ...others.map(({ entry }) => Text.el("option", { value: entry.slug }, Text.line(entry.name, 60))));
    byId("q-with").value = state.with;
    byId("q-with").disabled = !others.length;
  }

  // The result's indexes, and those of the other results on the same candidates under the same grading.
  async function open(entry) {
    const siblings = catalogue.filter((other) => other.pool === entry.pool && other.verdicts === entry.verdicts);
    const [pool, marks, own] = await Promise.all([entry.pool, entry.verdicts, entry.scores].map((key) => Data.load(`${key}/index`)));
    const all = siblings.map((other) => ({ entry: other, own: other.slug === entry.slug ? own : null }));
    return { entry, pool, marks, own, all, others: [], position: -1, left: [] };
  }

  // One after another, after the first question is there, since only filters and the table of picks need them.
  async function openOthers(opened) {
    if (opened.complete) return;
    opened.complete = true;
    const others = opened.all.filter((critic) => !critic.own);
    const loaded = await Promise.allSettled(others.map((critic) => Data.load(`${critic.entry.scores}/index`)));
    loaded.forEach((outcome, k) => { others[k].own = outcome.value || null; });
    opened.others = others.map((critic) => critic.own).filter(Boolean);
  }

  async function update() {
    const mine = ++turn;
    const state = State.read();
    const entry = catalogue.find((other) => other.slug === state.result);
    if (!entry) {
      if (state.result) return say(Text.el("p", { className: "q-state" }, "The result ", Text.span(state.result), " isn't here to be browsed; choose another above."));
      return change({ result: catalogue[0].slug }, true);
    }
    try {
      const opened = shown && shown.entry.slug === entry.slug ? shown : await open(entry);
      if (mine !== turn) return;
      shown = opened;
      await openOthers(shown);
      if (mine !== turn) return;
      await showQuestion(state, mine);
    } catch (error) {
      if (mine === turn) failed(error);
    }
  }

  async function showQuestion(state, mine) {
    shown.left = State.matching(state, shown);
    const asked = shown.pool.ids.indexOf(state.question);
    shown.position = asked >= 0 ? asked : shown.left.length ? shown.left[0] : -1;
    byId("q-result").value = state.result;
    chooseBeside(state);
    List.showFilters(shown, state, change);
    List.show(shown, state);
    if (!wasOpened) byId("q-drawer").open = !matchMedia("(max-width: 56rem)").matches;
    wasOpened = true;
    if (shown.position < 0) {
      byId("q-where").textContent = "No question";
      step();
      return say(Text.el("p", { className: "q-state" }, "No question is left by these filters."));
    }
    state.question = shown.pool.ids[shown.position];
    const beside = shown.all.find((critic) => critic.entry.slug === state.with && critic.own);
    const critics = [shown.all.find((critic) => critic.entry.slug === shown.entry.slug), ...(beside ? [beside] : [])];
    const part = (folder) => Data.part(folder, shown.pool.chunks, shown.position);
    byId("q-body").setAttribute("aria-busy", "true");
    const [texts, marks, ...scores] = await Promise.all([shown.entry.pool, shown.entry.verdicts, ...critics.map((critic) => critic.entry.scores)].map(part));
    if (mine !== turn) return;
    const columns = critics.map((critic, k) => ({ critic, scores: scores[k] }));
    say(View.question(shown, texts, marks, columns, state, change));
    const at = shown.left.indexOf(shown.position);
    byId("q-where").textContent = at < 0 ? "Not among those the filters leave" : `${(at + 1).toLocaleString("en")} of ${shown.left.length.toLocaleString("en")}`;
    document.title = `${Text.line(state.question, 40)} – ${Text.line(shown.entry.name, 40)} – vpbench`;
    step();
  }

  // The question before and after the present one, among those that are left.
  function neighbours() {
    if (!shown) return [undefined, undefined];
    const before = shown.left.filter((k) => k < shown.position);
    return [before[before.length - 1], shown.left.find((k) => k > shown.position)];
  }

  function step() {
    const [before, after] = neighbours();
    byId("q-previous").disabled = before === undefined;
    byId("q-next").disabled = after === undefined;
  }

  function go(direction) {
    const k = neighbours()[direction < 0 ? 0 : 1];
    if (k === undefined) return;
    change({ question: shown.pool.ids[k] });
    const top = byId("question").getBoundingClientRect().top;
    if (top < 0) scrollBy(0, top);
  }

  function toggleCandidates() {
    const rows = [...document.querySelectorAll(".q-candidate")];
    const open = !rows.every((row) => row.open);
    for (const row of rows) row.open = open;
  }

  function onKey(event) {
    const field = event.target.closest("input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (field) {
      if (event.key === "Escape") field.blur();
      return;
    }
    const actions = {
      j: () => go(1), ArrowRight: () => go(1), k: () => go(-1), ArrowLeft: () => go(-1),
      g: () => change({ flat: !State.read().flat }), o: toggleCandidates,
      "/": () => { byId("q-drawer").open = true; byId("q-search").focus(); },
    };
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  }

  function listen() {
    byId("q-result").addEventListener("change", (event) => change({ result: event.target.value, with: "", category: "", filters: [] }));
    byId("q-with").addEventListener("change", (event) => change({ with: event.target.value }));
    byId("q-category").addEventListener("change", (event) => change({ category: event.target.value, question: null }));
    for (const [id, name] of [["q-search", "search"], ["q-min", "min"], ["q-max", "max"]]) {
      byId(id).addEventListener("input", (event) => change({ [name]: event.target.value, question: null }, true));
    }
    byId("q-clear").addEventListener("click", () => change({ filters: [], category: "", min: "", max: "", search: "" }));
    byId("q-previous").addEventListener("click", () => go(-1));
    byId("q-next").addEventListener("click", () => go(1));
    document.addEventListener("keydown", onKey);
    addEventListener("hashchange", update);
    addEventListener("popstate", update);
  }

  async function start() {
    if (typeof DecompressionStream === "undefined") return failed(new Error("This page needs a browser of 2023 or later."));
    try {
      catalogue = await Data.load("catalogue");
    } catch (error) {
      return failed(error);
    }
    if (!catalogue.length) return say(Text.el("p", { className: "q-state" }, "There is no result to be browsed here: none has its texts, or no licence allows to show them."));
    chooseResults(State.read());
    update();
  }

  listen();
  start();
})();
