// The search box: over every page (sidebar, Ctrl+K) and in the page "Search the book". Engine and texts come when it is first
// used, as script tags, because a page that was opened from disk may not fetch.
(() => {
  "use strict";
  const HERE = document.currentScript.src;
  const ROOT = new URL(document.documentElement.dataset.content_root || "./", location.href);
  const WIDTH = 170; // letters of an excerpt
  let engine;

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  const scripts = new Map();
  const script = (name) => {
    const come = (done, failed) => {
      const element = make("script", { src: new URL(name, HERE) });
      element.onload = done;
      element.onerror = () => {
        scripts.delete(name); // the next use asks again
        engine = null;
        failed(new Error(name));
      };
      document.head.append(element);
    };
    if (!scripts.has(name)) scripts.set(name, new Promise(come));
    return scripts.get(name);
  };

  // The twin of the explorer in the chapter on search: what it finds is found by the engine of this box.
  window.kexueSearchExplorer = (collection) =>
    script("search-engine.js").then(() => script("search-explorer.js")).then(() => window.KexueEngine.explorer(collection));

  // The twin of the explorer in the chapter on addresses of papers.
  window.kexuePaperExplorer = (table) =>
    script("paper-links.js").then(() => script("paper-explorer.js")).then(() => window.KexuePapers.explorer(table));

  function load() {
    engine ||= Promise.all([script("search-engine.js"), script("book-search-data.js")]).then(() => {
      const { pages, places, fields } = window.KEXUE_SEARCH;
      const documents = places.map(([page, anchor, title, words, text, more]) => ({ page, anchor, title, words, text, more }));
      return { ...window.KexueEngine, pages, documents, index: window.KexueEngine.build(documents, fields) };
    });
    return engine;
  }

  // One result: title, chapter, excerpt. Its address carries the terms found, which the page marks on arrival.

  function marked({ letters, marks, start: cutAt }) {
    const parts = [];
    let at = cutAt ? letters.findIndex((letter) => !/[\s.,;:!?·)\]]/.test(letter)) : 0; // no stop before the first word
    for (const [start, end] of marks) {
      parts.push(letters.slice(at, start).join(""), make("mark", {}, letters.slice(start, end).join("")));
      at = end;
    }
    return [...parts, letters.slice(at).join("")];
  }

  // The text where it holds a word of the query, or if the title does; else the names in the code, the words of the page.
  function best(cut, text, more, words, titled) {
    const piece = cut(text, WIDTH);
    if (piece.marks.length || titled) return piece;
    return [more, words].map((field) => cut(field, WIDTH)).find(({ marks }) => marks.length) || piece;
  }

  function option(search, number, words, id) {
    const { page, anchor, title, words: ownWords, text, more } = search.documents[number];
    const [address, chapter] = search.pages[page];
    const url = new URL(address, ROOT);
    const cut = (field, width) => search.excerpt(search.index, field, words, width);
    const terms = new Set(search.tokenize(`${title} ${text}`));
    const here = words.flatMap((readings) => [...readings.keys()]).filter((term) => terms.has(term) || term.length === 1);
    if (here.length) url.searchParams.set("found", here.slice(0, 20).join(" "));
    if (anchor) url.hash = anchor;
    const whole = cut(title, 1000), piece = best(cut, text, more, ownWords, whole.marks.length);
    const excerpt = [piece.start ? "… " : "", ...marked(piece), piece.end < piece.whole ? " …" : ""];
    return make("a", { role: "option", id, href: url, tabindex: -1, "aria-selected": false },
      make("span", { class: "kx-hit-title" }, ...marked(whole)),
      make("span", { class: "kx-hit-chapter" }, anchor ? chapter : ""),
      make("span", { class: "kx-hit-excerpt" }, ...excerpt));
  }

  function counted(hits, wanted, shown) {
    const whole = hits.filter((hit) => hit[2] === wanted).length;
    const sections = (n) => `${n || "No"} section${n === 1 ? "" : "s"}`;
    let told = sections(hits.length);
    if (wanted > 1 && hits.length) told = whole < hits.length ? `${sections(whole)} with all words, ${hits.length - whole} with some` : `${told} with all words`;
    return told + (shown < hits.length ? `; the best ${shown} are shown.` : ".");
  }

  // A combobox: the input keeps the focus, arrows move through the list, Enter opens what is marked

  function combobox(box, list, status, limit, changed) {
    let hits = [], words = [], active = -1, shown = limit;
    const options = () => list.querySelectorAll("[role=option]");

    function select(next) {
      const all = options();
      if (all[active]) all[active].setAttribute("aria-selected", false);
      active = all.length ? (next + all.length) % all.length : -1;
      if (active < 0) return box.removeAttribute("aria-activedescendant");
      all[active].setAttribute("aria-selected", true);
      box.setAttribute("aria-activedescendant", all[active].id);
      all[active].scrollIntoView({ block: "nearest" });
    }

    function show(search) {
      const first = hits.slice(0, shown);
      list.replaceChildren(...first.map(([number], i) => option(search, number, words, `${list.id}-${i}`)));
      list.hidden = !first.length;
      box.setAttribute("aria-expanded", first.length > 0);
      const wanted = words.filter((readings) => readings.size).length;
      status.textContent = box.value.trim() ? counted(hits, wanted, first.length) : "";
      changed(box.value, hits.length > first.length);
    }

    async function run() {
      try {
        const search = await load();
        words = search.expand(search.index, box.value);
        hits = search.rank(search.index, words);
        shown = limit;
        show(search);
        list.scrollTop = 0;
        if (hits.length) select(0);
        else select(-1);
      } catch {
        status.textContent = "The search could not be loaded.";
      }
    }

    box.addEventListener("focus", () => load().catch(() => {}), { once: true });
    box.addEventListener("input", (event) => event.isComposing || run());
    box.addEventListener("compositionend", run);
    box.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.isComposing) return;
      if (step && options().length) event.preventDefault(), select(active + step);
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (options()[active]) options()[active].dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey: event.ctrlKey, metaKey: event.metaKey }));
    });
    return { run, more: async () => ((shown += limit), show(await load()), select(active)) };
  }

  const field = (id) => ({
    id: `${id}-query`, type: "search", role: "combobox", "aria-expanded": false, "aria-controls": `${id}-list`,
    "aria-autocomplete": "list", "aria-label": "Search the book", autocomplete: "off", autocapitalize: "off", spellcheck: false, enterkeyhint: "go",
  });
  const listbox = (id) => make("div", { id: `${id}-list`, role: "listbox", "aria-label": "Sections found", class: "kx-hits", hidden: "" });
  const telling = () => make("p", { role: "status", class: "kx-search-status" });

  // The box over the page

  let dialog;
  function open() {
    if (!dialog) {
      const box = make("input", { ...field("kx-over"), placeholder: "Words in English or Chinese, names, Γ or gamma …" });
      const list = listbox("kx-over"), status = telling();
      const close = make("button", { type: "button", class: "kx-search-close" }, "Close");
      const all = make("a", { href: page.href, class: "kx-search-all", hidden: "" }, "All results on a page of their own");
      dialog = make("dialog", { class: "kx-search-dialog", "aria-label": "Search" },
        make("div", { class: "kx-search-top" }, box, close), status, list, all);
      document.body.append(dialog);
      combobox(box, list, status, 8, (query) => {
        const url = new URL(page.href);
        url.searchParams.set("q", query);
        all.href = url;
        all.hidden = !query.trim();
      });
      close.addEventListener("click", () => dialog.close());
      dialog.addEventListener("click", (event) => (event.target === dialog || event.target.closest("[role=option]")) && dialog.close());
      dialog.addEventListener("keydown", (event) => event.key === "Escape" && (event.preventDefault(), dialog.close()));
    }
    if (dialog.open) return dialog.close();
    dialog.showModal();
    dialog.querySelector("input").focus();
    dialog.querySelector("input").select();
  }

  // The page of its own: its address holds the query

  function fill(place) {
    const box = make("input", field("kx-page")), list = listbox("kx-page"), status = telling();
    const more = make("button", { type: "button", class: "btn kx-search-more", hidden: "" }, "Show more");
    place.replaceChildren(box, status, list, more);
    const search = combobox(box, list, status, 20, (query, rest) => {
      more.hidden = !rest;
      try {
        history.replaceState(null, "", query ? `?${new URLSearchParams({ q: query })}` : location.pathname);
      } catch {} // too many: the results count
    });
    more.addEventListener("click", search.more);
    box.value = new URLSearchParams(location.search).get("q") || "";
    box.focus({ preventScroll: true });
    if (box.value) search.run();
    return () => (box.focus(), box.select());
  }

  // On arrival: mark the terms in the section that was found, without touching its elements

  async function mark(found) {
    const url = new URL(location.href);
    url.searchParams.delete("found");
    if (document.readyState !== "complete") await new Promise((done) => window.addEventListener("load", done, { once: true }));
    history.replaceState(history.state, "", url); // not earlier: it would stop the browser on its way to the section
    if (!window.Highlight) return;
    await script("search-engine.js");
    const terms = new Set(found.split(" ")), ranges = [];
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1))) || document.querySelector("article section");
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode()); ) {
      if (node.parentElement.closest(".katex, script, style, svg, pre")) continue;
      const letters = [...node.data], offset = (n) => letters.slice(0, n).join("").length;
      for (const [term, start, end] of window.KexueEngine.spans(node.data, terms)) {
        const range = new Range();
        range.setStart(node, offset(start));
        range.setEnd(node, offset(end));
        ranges.push(range);
      }
    }
    CSS.highlights.set("kx-found", new Highlight(...ranges));
  }

  const opener = document.querySelector("a.kx-search-open");
  const page = { href: opener ? opener.href : new URL("chapters/search.html", ROOT).href };
  const place = document.querySelector("#kx-search");
  const start = place ? fill(place) : open;
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a.kx-search-open");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    start();
  });
  window.addEventListener("keydown", (event) => {
    if (event.key?.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // the theme listens too, for a box that is not there
    start();
  }, true);
  const found = new URLSearchParams(location.search).get("found");
  if (found) mark(found).catch(() => {});
})();
