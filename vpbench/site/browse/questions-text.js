// Makes elements, and shows texts that may hold anything: as text, contained, with what can't be seen made visible.
"use strict";

const Text = (() => {
  const LONGEST = 20000;
  const SCROLLS = 1500;

  // An element with properties (those with a dash are attributes) and children, texts among them.
  function el(tag, properties, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (value === null || value === undefined) continue;
      if (name.includes("-") || name === "role") element.setAttribute(name, value);
      else element[name] = value;
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
    return element;
  }

  // Control characters and direction marks by their numbers: fonts have no signs for them.
  function visible(text) {
    return text
      .replace(/\r\n/g, "\n")
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
        (sign) => `⟨U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
  }

  // A text on one line, for names and lists.
  function line(text, most = 120) {
    const whole = visible(text).replace(/\s+/g, " ").trim();
    const letters = [...whole.slice(0, 2 * most)];
    return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : whole;
  }

  function span(text, className = "") {
    return el("bdi", { className }, line(text));
  }

  // A text of any length in a box that scrolls; of a very long one the beginning, until the rest is asked for.
  function block(text, name) {
    const box = el("div", { className: "q-text" });
    const scrolls = () => {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", name);
    };
    if (text.length > SCROLLS) scrolls();
    if (text.length <= LONGEST) {
      box.textContent = visible(text);
      return box;
    }
    box.textContent = visible(text.slice(0, LONGEST));
    const more = el("button", { type: "button", className: "q-more" }, `Show all ${text.length.toLocaleString("en")} characters`);
    more.addEventListener("click", () => {
      box.textContent = visible(text);
      more.remove();
    });
    return el("div", {}, box, more);
  }

  function score(value) {
    if (value === null || value === undefined) return "none";
    const number = Number(value);
    if (!Number.isFinite(number)) return number > 0 ? "∞" : "−∞";
    const text = Math.abs(number) < 100 ? number.toFixed(3) : number.toPrecision(5);
    return text.replace("-", "−");
  }

  function plural(count, word) {
    return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
  }

  return { block, el, line, plural, score, span, visible };
})();
