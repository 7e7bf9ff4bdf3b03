// Paper is light. The menu prints all solutions or none; the browser's own command, those opened.
"use strict";

(() => {
  const SOLUTIONS = ".bd-article details:not(.toggle-details, .hide)";
  let chosen = null, theme = "", changed = [];

  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    changed = chosen === null ? []
      : [...document.querySelectorAll(SOLUTIONS)].filter((details) => details.open !== chosen);
    for (const details of changed) details.open = chosen;
  });
  addEventListener("afterprint", () => {
    document.documentElement.dataset.theme = theme;
    for (const details of changed) details.open = !chosen;
    chosen = null;
  });

  window.printPage = (solutions) => {
    chosen = solutions;
    window.print();
  };
})();
