// The theme names some buttons twice, and gives the bibliography a role that its entries don't
// fit; what is superfluous goes. And Markdown has no captions and no kinds of block quotes.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll(".search-button, .theme-switch-button")) {
    if (button.textContent.trim()) button.removeAttribute("aria-label");
  }
  for (const list of document.querySelectorAll("[role=list]")) {
    if (!list.querySelector("[role=listitem]")) list.removeAttribute("role");
  }
  for (const words of document.querySelectorAll(".bd-article p")) {
    if (/^Figure \d+\. /.test(words.textContent)) words.classList.add("gencomp-caption");
  }
  // Markdown knows one kind of block quote; its first word says which of the book's it is.
  for (const quote of document.querySelectorAll(".bd-article blockquote")) {
    const word = quote.querySelector("p > strong:first-child")?.textContent.match(/^[A-Z][a-z]+/);
    quote.classList.add(word ? word[0].toLowerCase() : "quotation");
  }
});
// What scrolls sideways can be scrolled by keyboard; the theme knows this of code and tables alone.
const reach = () => {
  const formulas = [...document.querySelectorAll(".bd-article .math mjx-container")];
  // One that scrolls is squeezed: measured like that, it would go on scrolling for ever.
  for (const formula of formulas) formula.classList.remove("gencomp-wide");
  const wide = formulas.map((formula) => {
    const line = formula.closest("div.math, p, li, td, th, dt, dd, h2, h3, summary, .bd-article");
    // Within a line, what is kept for screen readers would count, too.
    const { width } = formula.querySelector("mjx-math").getBoundingClientRect();
    const taken = formula.hasAttribute("display") ? formula.scrollWidth : width;
    return taken > line.clientWidth + 1;
  });
  formulas.forEach((formula, i) => {
    formula.classList.toggle("gencomp-wide", wide[i]);
    if (wide[i]) formula.tabIndex = 0;
    else formula.removeAttribute("tabindex");
  });
};
// And what goes on at the right, beyond the edge, fades there until it has been scrolled to.
const WIDE = ".pst-scrollable-table-container, .highlight pre, .cell_output .output, mjx-container";
const fade = (box) => {
  const scrolls = /auto|scroll/.test(getComputedStyle(box).overflowX);
  const more = box.scrollWidth - box.clientWidth - box.scrollLeft > 12;
  box.classList.toggle("gencomp-more", scrolls && more);
};
addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const article = document.querySelector(".bd-article");
  const boxes = article.querySelectorAll(WIDE);
  for (const box of boxes) box.addEventListener("scroll", () => fade(box), { passive: true });
  new ResizeObserver(() => {
    reach();
    boxes.forEach(fade);
  }).observe(article);
});
// A glossary's card goes as it came: without the mouse.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") window.tippy?.hideAll();
});
