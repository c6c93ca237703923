// The question: pictures, text, options, gold answer, who picked what, and the candidates beneath.
"use strict";

const View = (() => {
  const { el } = Text;

  function pictures(list, entry, pool) {
    if (!entry.pictures) return [el("p", { className: "q-note" }, "Pictures are left out here: the licence of the data isn't known to allow them on a public page.")];
    if (!pool.details) return [el("p", { className: "q-note" }, "This run kept no pictures; the same vpbench run again keeps them.")];
    return list.map((picture, k) => {
      if (picture.missing) return el("p", { className: "q-note" }, `Picture ${k + 1} isn't there: `, Text.span(picture.missing, ""));
      const image = el("img", { src: `images/${picture.file}`, alt: `Picture ${k + 1} of the question`, width: picture.width, height: picture.height });
      return el("figure", {}, el("a", { href: `images/${picture.file}`, title: "The picture alone" }, image));
    });
  }

  // The question without the options that its prompt ends with, where they are listed below it.
  function asked(texts) {
    const listed = (texts.choices || []).map((choice, k) => `(${String.fromCharCode(65 + k)}) ${choice}`).join("\n");
    return listed && texts.question.endsWith(listed) ? texts.question.slice(0, -listed.length).trimEnd() : texts.question;
  }

  function options(texts) {
    if (!texts.choices || texts.choices.length > 26) return null;
    const items = texts.choices.map((choice, k) => {
      const letter = String.fromCharCode(65 + k);
      const gold = texts.gold === choice || texts.gold === letter;
      return el("li", { className: gold ? "q-gold" : null },
        el("b", {}, letter), Text.block(choice, `option ${letter}`), gold ? el("span", { className: "q-sign q-good" }, "gold") : null);
    });
    return el("ol", { className: "q-options" }, items);
  }

  function facts(texts, entry) {
    const pairs = Object.entries(texts.categories).map(([name, value]) =>
      el("div", {}, el("dt", {}, Text.span(name.replace(/_/g, " "), "")), el("dd", {}, Text.span(typeof value === "string" ? value : JSON.stringify(value)))));
    return [
      pairs.length ? el("details", { className: "q-facts" }, el("summary", {}, Text.plural(pairs.length, "fact"), " of the question"), el("dl", {}, pairs)) : null,
      entry.source ? el("p", { className: "q-note" }, "Data: ", Text.span(entry.source)) : null,
    ];
  }

  // What every critic on the pool picked, and the vote.
  function picks(shown, marks, k) {
    const rows = shown.all.filter((critic) => critic.own).map((critic) => {
      const pick = critic.own.pick[k];
      return pickRow(critic.entry.name, marks, pick, critic.own.value[k], critic.entry.slug === shown.entry.slug);
    });
    const vote = shown.marks.vote[k];
    if (vote !== null) rows.push(pickRow("majority vote", marks, vote, undefined, false));
    const count = shown.pool.counts[k];
    return el("div", { className: "q-scroll" },
      el("table", { className: "q-picks" },
        el("caption", {}, `${shown.marks.right[k]} of ${Text.plural(count, "candidate")} right`,
          shown.marks.unread[k] ? `, ${shown.marks.unread[k]} without an answer` : ""),
        el("thead", {}, el("tr", {}, ["", "picks", "answer", "verdict", "score"].map((words) => el("th", { scope: "col" }, words)))),
        el("tbody", {}, rows)));
  }

  function pickRow(name, marks, pick, value, current) {
    const answer = marks.extracted[pick];
    return el("tr", { className: current ? "q-current" : null },
      el("th", { scope: "row" }, Text.span(name)),
      el("td", {}, `#${pick}`),
      el("td", {}, answer === null ? "none" : Text.span(answer)),
      el("td", {}, el("span", { className: `q-sign ${marks.correct[pick] ? "q-good" : "q-bad"}` }, marks.correct[pick] ? "right" : "wrong")),
      el("td", { className: "q-number" }, value === undefined ? "" : Text.score(value)));
  }

  function column(shown, critic, texts, marks, scores, k, state) {
    const view = { entry: critic.entry, cuts: shown.pool.cuts, texts, marks, scores };
    if (critic.entry.kind === "best") {
      view.pick = critic.own.pick[k];
      view.vote = shown.marks.vote[k];
    }
    return el("section", { className: "q-critic" },
      el("h3", {}, Text.span(critic.entry.name), el("span", { className: "q-note" }, " ", Text.span(critic.entry.setting))),
      critic.entry.kind === "best" ? Candidates.best(view, state.flat) : Candidates.solution(view));
  }

  // How candidates are ordered, a choice of two.
  function orders(state, change) {
    const button = (words, flat) => {
      const element = el("button", { type: "button", "aria-pressed": String(state.flat === flat), "data-keep": words }, words);
      element.addEventListener("click", () => change({ flat }));
      return element;
    };
    return el("div", { className: "q-orders", role: "group", "aria-label": "Order of the candidates" },
      button("By answer", false), button("All by score", true));
  }

  function legend() {
    const chips = [0, 1, 2, 3, 4, 5, 6].map((shade) => el("span", { className: `q-chip q-s${shade}`, "aria-hidden": "true" }));
    return el("p", { className: "q-legend" }, "Scores: low ", chips, " high");
  }

  // `columns` holds of every critic that is shown {critic, scores}.
  function question(shown, texts, marks, columns, state, change) {
    const k = shown.position;
    const { entry, pool } = shown;
    const best = entry.kind === "best";
    const link = el("a", { href: State.address(state), className: "q-link" }, "Link to this view");
    const shownPictures = pictures(texts.pictures, entry, pool);
    return el("article", {},
      el("header", { className: "q-title" }, el("h2", { tabIndex: -1 }, "Question ", Text.span(pool.ids[k])), link),
      el("div", { className: shownPictures.length ? "q-asked q-pictured" : "q-asked" },
        shownPictures.length ? el("div", { className: "q-pictures" }, shownPictures) : null,
        el("div", { className: "q-words" },
          Text.block(asked(texts), "question"),
          options(texts),
          el("p", { className: "q-answered" }, "Gold answer: ", texts.gold === "" ? "none" : el("b", {}, Text.span(texts.gold, ""))),
          facts(texts, entry))),
      best ? el("section", { "aria-label": "What was picked" }, el("h3", {}, "What was picked"), picks(shown, marks, k)) : null,
      el("div", { className: "q-tools" }, el("h3", {}, best ? "Candidates" : "The solution, step by step"), legend(), best ? orders(state, change) : null),
      el("div", { className: columns.length > 1 ? "q-critics q-two" : "q-critics" },
        columns.map(({ critic, scores }) => column(shown, critic, texts, marks, scores, k, state))));
  }

  return { question };
})();
