// Added to every page by `vpbench view`: shows results that came in since the page was loaded. The overview is loaded
// again; whoever looks at a question is asked.
"use strict";

let vpbenchStamp;

(() => {
  const SECONDS = 3;
  let first = null;

  vpbenchStamp = (stamp) => {
    if (first === null) first = stamp;
    if (stamp === first) return;
    if (!document.querySelector("#q-body")) location.reload();
    else offer();
  };

  function offer() {
    if (document.querySelector(".q-new")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "q-new";
    button.textContent = "New results: load them";
    button.addEventListener("click", () => location.reload());
    document.querySelector("header").append(button);
  }

  function look() {
    const script = document.createElement("script");
    script.src = `/stamp.js?${Date.now()}`;
    script.onload = script.onerror = () => script.remove();
    document.head.append(script);
  }

  look();
  setInterval(look, SECONDS * 1000);
})();
