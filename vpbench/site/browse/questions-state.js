// What is shown, kept in the page's address so that it can be shared, and which questions the filters leave.
"use strict";

const State = (() => {
  // By kind of result: the filter's name in addresses, its words, and the test of question k. `own` is the index of the
  // critic's own file, `marks` that of verdicts or labels, `others` are the indexes of the other critics on the pool.
  const FILTERS = {
    best: [
      ["missed", "critic wrong, oracle right", (k, own, marks) => !own.pickRight[k] && marks.right[k] > 0],
      ["beats-vote", "critic right, vote wrong", (k, own, marks) => own.pickRight[k] && marks.voteRight[k] === 0],
      ["loses-to-vote", "vote right, critic wrong", (k, own, marks) => !own.pickRight[k] && marks.voteRight[k] === 1],
      ["disagree", "critics disagree", (k, own, marks, others) => others.some((other) => other.pickClass[k] !== own.pickClass[k] || other.pickRight[k] !== own.pickRight[k])],
      ["failed", "rows failed or unread", (k, own, marks) => own.failed[k] > 0 || marks.unread[k] > 0],
    ],
    steps: [
      ["errs", "critic wrong on a step", (k, own, marks) => differs(own.calls[k], marks.labels[k], "+-")],
      ["misses", "critic misses a wrong step", (k, own, marks) => differs(own.calls[k], marks.labels[k], "-")],
      ["disagree", "critics disagree", (k, own, marks, others) => own.calls[k] && others.some((other) => other.calls[k] && other.calls[k] !== own.calls[k])],
      ["failed", "steps without a score", (k, own) => own.failed[k] > 0],
    ],
  };

  // Whether a call isn't the label, among the steps that have one of these labels.
  function differs(calls, labels, among) {
    for (let k = 0; k < labels.length; k++) {
      if (among.includes(labels[k]) && k < calls.length && calls[k] !== labels[k]) return true;
    }
    return false;
  }

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const list = (name) => (given.get(name) || "").split(",").filter(Boolean);
    return {
      result: given.get("result") || "",
      with: given.get("with") || "",
      question: given.get("question"),
      filters: list("filter"),
      category: given.get("category") || "",
      min: given.get("min") || "",
      max: given.get("max") || "",
      search: given.get("q") || "",
      flat: given.get("order") === "score",
    };
  }

  function address(state) {
    const pairs = [
      ["result", state.result], ["with", state.with], ["question", state.question], ["filter", state.filters.join(",")],
      ["category", state.category], ["min", state.min], ["max", state.max], ["q", state.search],
      ["order", state.flat ? "score" : ""],
    ];
    const given = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return `#${given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&")}`;
  }

  // Positions of the questions that every filter of the state leaves.
  function matching(state, shown) {
    const tests = FILTERS[shown.entry.kind].filter(([name]) => state.filters.includes(name)).map(([, , test]) => test);
    const wanted = state.search.toLowerCase();
    const [name, label] = split(state.category);
    const category = shown.pool.categories.find((column) => column.name === name);
    const labelled = category ? category.labels.indexOf(label) : -1;
    const low = state.min === "" ? null : Number(state.min);
    const high = state.max === "" ? null : Number(state.max);
    const left = [];
    for (let k = 0; k < shown.pool.ids.length; k++) {
      if (!tests.every((test) => test(k, shown.own, shown.marks, shown.others))) continue;
      if (state.category !== "" && !(category && category.of[k].includes(labelled))) continue;
      const value = shown.own.value[k];
      if (low !== null && (value === null || Number(value) < low)) continue;
      if (high !== null && (value === null || Number(value) > high)) continue;
      if (wanted && !shown.pool.ids[k].toLowerCase().includes(wanted) && !shown.pool.heads[k].toLowerCase().includes(wanted)) continue;
      left.push(k);
    }
    return left;
  }

  // A category and its label as one text, and back: the name may hold any sign.
  function join(name, label) {
    return `${encodeURIComponent(name)}=${label}`;
  }

  function split(category) {
    const at = category.indexOf("=");
    try {
      return [decodeURIComponent(category.slice(0, at)), category.slice(at + 1)];
    } catch {
      return ["", ""];
    }
  }

  return { FILTERS, address, join, matching, read };
})();
