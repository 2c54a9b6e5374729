// Cards beside what is pointed at or focused: the text of a citation, an equation of this page, a symbol's meaning.
(() => {
  "use strict";
  const card = document.createElement("div");
  const symbols = new Map(); // the TeX of a symbol -> its row in the chapter's table of symbols
  const tex = (formula) => formula.querySelector("annotation")?.textContent.replace(/\s/g, "");
  let owner, timer;

  // What a card says, as nodes or text; nothing for most things.
  function content(target) {
    if (target.matches(".katex")) {
      const row = symbols.get(tex(target));
      return row && !row.contains(target) && [...row.cells].slice(1).flatMap((cell) => [...copy(cell), " "]);
    }
    const place = /^#(eq|equation)-/.test(target.getAttribute("href")) && document.getElementById(target.hash.slice(1));
    if (place) {
      const box = [...document.querySelectorAll("div.math")].find(
        (box) => box.contains(place) || place.compareDocumentPosition(box) & Node.DOCUMENT_POSITION_FOLLOWING,
      );
      return box && copy(box);
    }
    if (target.title) {
      target.dataset.kxCard ??= target.title;
      target.removeAttribute("title"); // or the browser would show it too
    }
    return target.dataset.kxCard && [target.dataset.kxCard];
  }

  function copy(box) {
    const clone = box.cloneNode(true);
    clone.querySelectorAll(".headerlink, .eqno, .tag").forEach((part) => part.remove());
    clone.querySelectorAll("[id]").forEach((part) => part.removeAttribute("id"));
    return clone.childNodes;
  }

  function show(target) {
    const said = content(target);
    if (!said) return;
    hide();
    owner = target;
    card.replaceChildren(...said);
    card.hidden = false;
    place();
    if (target.matches("a")) target.setAttribute("aria-describedby", card.id);
  }

  function place() {
    const { left, top, bottom } = owner.getClientRects()[0];
    const above = bottom + card.offsetHeight + 12 > innerHeight && top > card.offsetHeight + 12;
    card.style.left = `${Math.max(8, Math.min(left, document.body.clientWidth - card.offsetWidth - 8))}px`;
    card.style.top = `${above ? top - card.offsetHeight - 6 : bottom + 6}px`;
  }

  function hide() {
    clearTimeout(timer);
    owner?.removeAttribute("aria-describedby");
    owner = null;
    card.hidden = true;
  }

  const named = ({ target }) => target.closest?.("article a:not(.headerlink), article .katex");

  function point(event) {
    const target = named(event);
    if (event.pointerType === "touch" && target?.matches("a")) return;
    clearTimeout(timer);
    if (card.contains(event.target) || (owner && target === owner)) return;
    timer = setTimeout(() => (target ? show(target) : hide()), 250);
  }

  addEventListener("DOMContentLoaded", () => {
    Object.assign(card, { id: "kx-card", hidden: true });
    (document.querySelector("main") ?? document.body).append(card);
    for (const row of document.querySelector("#the-question table")?.rows ?? [])
      for (const formula of row.cells[0].querySelectorAll(".katex")) symbols.set(tex(formula), row);
    document.addEventListener("pointerover", point);
    document.addEventListener("focusin", (event) => (named(event) ? show(named(event)) : hide()));
    document.addEventListener("focusout", hide);
    document.addEventListener("pointercancel", hide);
    document.addEventListener("scroll", () => owner && (owner === document.activeElement ? place() : hide()));
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  });
})();
