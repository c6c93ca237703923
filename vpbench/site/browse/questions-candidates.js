// One critic's view of a question: its candidates by score, their steps coloured by score, labels and verdicts beside.
"use strict";

const Candidates = (() => {
  const AT_ONCE = 3;
  const { el } = Text;

  // The class of the colour of a score: seven from low to high; the number always stands beside it.
  function shade(value, range) {
    if (value === null || value === undefined || !range) return "q-none";
    const [low, high] = range;
    const share = high > low ? (Number(value) - low) / (high - low) : 0.5;
    return `q-s${Math.min(6, Math.max(0, Math.floor(share * 7)))}`;
  }

  // What colours stand for: 0 to 1 where scores are probabilities, else from the lowest to the highest there is.
  function rangeOf(values) {
    const numbers = values.filter((value) => value !== null && value !== undefined).map(Number).filter(Number.isFinite);
    if (!numbers.length) return null;
    const low = Math.min(...numbers);
    const high = Math.max(...numbers);
    return low >= 0 && high <= 1 ? [0, 1] : [low, high];
  }

  function chip(value, range, words) {
    return el("span", { className: `q-chip ${shade(value, range)}`, title: words }, Text.score(value));
  }

  const LABELS = { "+": ["labelled correct", "q-good"], "-": ["labelled wrong", "q-bad"], 0: ["labelled neutral", ""] };

  // A response as its steps: as the data has them, or cut at blank lines and, where it has too many parts, joined again.
  function cut(response, cuts) {
    if (Array.isArray(response)) return response;
    if (!cuts) return [response];
    const parts = response.split(cuts.at);
    const size = cuts.most ? Math.max(1, Math.ceil(parts.length / cuts.most)) : 1;
    const joined = [];
    for (let first = 0; first < parts.length; first += size) joined.push(parts.slice(first, first + size).join(cuts.at));
    return joined.map((text, k) => (k < joined.length - 1 ? text + cuts.at : text));
  }

  // The steps of a response with their scores, and the labels that people gave them.
  function steps(response, cuts, scores, range, labels, threshold) {
    const texts = response === null ? null : cut(response, cuts);
    if (!texts || (scores && texts.length !== scores.length)) {
      return el("div", {},
        scores ? el("p", { className: "q-note" }, "Scores of its steps, in order: ", scores.map((value) => chip(value, range, "score of a step"))) : null,
        texts ? Text.block(texts.join(""), "response") : el("p", { className: "q-note" }, "The pool has no text of this response."));
    }
    const rows = texts.map((text, k) => {
      const value = scores ? scores[k] : undefined;
      const label = labels && LABELS[labels[k]];
      const called = threshold !== null && value !== null && value !== undefined ? (Number(value) > threshold ? "+" : "-") : null;
      const differs = label && called && labels[k] !== "0" && labels[k] !== called;
      return el("li", { className: differs ? "q-step q-differs" : "q-step" },
        el("span", { className: "q-beside" },
          scores ? chip(value, range, `score of step ${k + 1}`) : null,
          label ? el("span", { className: `q-sign ${label[1]}` }, label[0]) : null,
          differs ? el("span", { className: "q-sign q-warn" }, called === "+" ? "critic: correct" : "critic: wrong") : null),
        Text.block(text.trim() === "" ? "(blank)" : text.replace(/^\n+|\s+$/g, ""), `step ${k + 1}`));
    });
    return el("ol", { className: `q-steps${labels ? " q-labelled" : ""}` }, rows);
  }

  function verdictLine(marks, k) {
    const read = marks.extracted[k];
    const words = marks.reason[k];
    return el("p", { className: "q-verdict" },
      read === null ? "No answer" : ["Read as ", el("b", {}, Text.span(read))],
      ": ", el("span", { className: marks.correct[k] ? "q-good" : "q-bad" }, marks.correct[k] ? "right" : "wrong"),
      words ? [", ", Text.span(words)] : null,
      marks.answer_class[k] === null ? null : el("span", { className: "q-note" }, " (class ", Text.span(marks.answer_class[k]), ")"));
  }

  // A candidate, closed until somebody opens it; its body is made then.
  function candidate(view, k, open) {
    const { marks, scores, texts, ranges } = view;
    const tags = [];
    if (k === view.pick) tags.push(el("span", { className: "q-tag q-pick" }, "picked"));
    if (k === view.vote) tags.push(el("span", { className: "q-tag" }, "vote"));
    const body = el("div", { className: "q-body" });
    const fill = () => {
      if (body.childElementCount) return;
      const reason = scores.reasons && scores.reasons[k];
      const error = texts.errors && texts.errors[k];
      body.append(
        steps(texts.responses[k], view.cuts, scores.steps[k], ranges.steps, null, null),
        verdictLine(marks, k),
        ...[reason && el("p", { className: "q-note" }, "Of its score: ", Text.span(reason)),
          error && el("p", { className: "q-note" }, "Why there is no response: ", Text.span(error))].filter(Boolean));
    };
    const row = el("details", { className: `q-candidate${k === view.pick ? " q-picked" : ""}`, open },
      el("summary", {},
        chip(scores.values[k], ranges.values, "the critic's score"),
        el("span", { className: "q-index" }, `#${k}`),
        el("span", { className: "q-answer" }, marks.extracted[k] === null ? "no answer" : Text.span(marks.extracted[k])),
        tags,
        el("span", { className: `q-sign ${marks.correct[k] ? "q-good" : "q-bad"}` }, marks.correct[k] ? "right" : "wrong")),
      body);
    row.addEventListener("toggle", () => row.open && fill());
    if (open) fill();
    return row;
  }

  function byScore(values) {
    const order = values.map((_, k) => k);
    const number = (k) => (values[k] === null ? -Infinity : Number(values[k]));
    return order.sort((a, b) => (number(a) === number(b) ? a - b : number(b) > number(a) ? 1 : -1));
  }

  // Candidates `ks`, the first few and then as many more as are asked for.
  function some(view, ks, openFirst, most) {
    const box = el("div", { className: "q-candidates" });
    let count = 0;
    const more = el("button", { type: "button", className: "q-more" });
    const add = (upTo) => {
      for (; count < Math.min(upTo, ks.length); count++) box.insertBefore(candidate(view, ks[count], openFirst && count === 0), more);
      more.textContent = `${Text.plural(ks.length - count, "more candidate")}`;
      more.hidden = count === ks.length;
    };
    box.append(more);
    more.addEventListener("click", () => add(count + 50));
    add(most);
    return box;
  }

  function grouped(view, order) {
    const groups = new Map();
    for (const k of order) {
      const name = view.marks.answer_class[k];
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(k);
    }
    const pickClass = view.marks.answer_class[view.pick];
    return [...groups].map(([name, ks]) => {
      const right = view.marks.correct[ks[0]];
      const alike = ks.every((k) => view.marks.correct[k] === right);
      const answer = view.marks.extracted[ks[0]];
      return el("section", { className: "q-group" },
        el("h4", {},
          name === null ? "No answer" : ["Answer ", Text.span(answer === null ? name : answer)],
          alike ? el("span", { className: `q-sign ${right ? "q-good" : "q-bad"}` }, right ? "right" : "wrong") : null,
          el("span", { className: "q-note" }, `${ks.length} of ${Text.plural(order.length, "candidate")}`)),
        some(view, ks, name === pickClass && ks[0] === view.pick, AT_ONCE));
    });
  }

  // The whole column of a critic on a Best-of-N question.
  function best(view, flat) {
    view.ranges = {
      values: rangeOf(view.scores.values),
      steps: view.entry.range && rangeOf(view.entry.range),
    };
    const order = byScore(view.scores.values);
    // a pool without answers has nothing to be grouped by
    const answered = view.marks.answer_class.some((name) => name !== null);
    return flat || !answered ? [some(view, order, true, 20)] : grouped(view, order);
  }

  // The column of a critic on a labelled solution.
  function solution(view) {
    const scores = view.scores.steps[0];
    const range = view.entry.range && rangeOf(view.entry.range);
    const labels = view.marks.labels[0].map((label) => (label > 0 ? "+" : label < 0 ? "-" : "0"));
    const reason = view.scores.reasons && view.scores.reasons[0];
    return [
      scores ? null : el("p", { className: "q-note" }, "The critic has no scores for these steps", reason ? [": ", Text.span(reason)] : "."),
      steps(view.texts.responses[0], view.cuts, scores, range, labels, view.entry.threshold),
    ];
  }

  return { best, chip, rangeOf, solution };
})();
