// The theme names some buttons twice, and gives the bibliography a role that its entries don't
// fit; what is superfluous goes.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll(".search-button, .theme-switch-button")) {
    if (button.textContent.trim()) button.removeAttribute("aria-label");
  }
  for (const list of document.querySelectorAll("[role=list]")) {
    if (!list.querySelector("[role=listitem]")) list.removeAttribute("role");
  }
});
