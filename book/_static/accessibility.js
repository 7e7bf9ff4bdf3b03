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
// A glossary's card goes as it came: without the mouse.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") window.tippy?.hideAll();
});
