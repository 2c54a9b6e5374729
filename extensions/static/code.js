// One switch at the top of a chapter shows or folds all its code, and is remembered (from disk: for each page).
(() => {
  "use strict";
  const KEY = "kexue-code";
  const recall = () => { try { return localStorage.getItem(KEY) === "shown"; } catch { return false; } };
  const remember = (shown) => { try { localStorage.setItem(KEY, shown ? "shown" : "folded"); } catch { /* no store */ } };

  function start() {
    const folded = [...document.querySelectorAll("details.hide")].filter((box) => !box.closest(".tag_hide-cell"));
    const box = document.querySelector(".bd-article > section > blockquote");
    if (!folded.length || !box) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "kx-code-switch";
    button.textContent = "Show all code";
    function set(shown) {
      button.setAttribute("aria-pressed", shown);
      for (const details of folded) details.open = shown;
    }
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      remember(shown);
      set(shown);
    });
    set(recall());
    box.after(button);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
