// The search page: cut the query into terms as kexue_core.engineering.tokenizing does, add up the stored impacts, show the best.
(() => {
  "use strict";
  const box = document.querySelector("#kx-query");
  if (!box || !window.KEXUE_SEARCH) return;
  const { sections, terms } = window.KEXUE_SEARCH;
  const CJK = "\\u3005-\\u3007\\u3041-\\u3096\\u30a1-\\u30fa\\u30fc\\u3400-\\u4dbf\\u4e00-\\u9fff\\uac00-\\ud7a3\\uf900-\\ufaff\\u{20000}-\\u{3ffff}";
  const RUN = new RegExp(`([a-z0-9]+)|[${CJK}]+`, "gu");

  // No compatibility forms, no case, and of the combining marks only the two voice marks of kana.
  function fold(text) {
    const plain = text.normalize("NFKD").toLowerCase().replace(/ß/g, "ss");
    return plain.replace(/(?![\u3099\u309a])\p{Mn}/gu, "").normalize("NFC");
  }

  function tokenize(text) {
    const found = [];
    for (const [run, word] of fold(text).matchAll(RUN)) {
      const letters = [...run];
      if (word || letters.length === 1) found.push(run);
      else for (let i = 0; i + 1 < letters.length; i++) found.push(letters[i] + letters[i + 1]);
    }
    return found;
  }

  function search(query) {
    const scores = new Map();
    for (const term of tokenize(query)) {
      if (!Object.hasOwn(terms, term)) continue;
      const [documents, impacts] = terms[term];
      documents.forEach((d, i) => scores.set(d, (scores.get(d) || 0) + impacts[i]));
    }
    return [...scores].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 20);
  }

  // A stretch of the text around the first of the query's words, the words marked.
  function excerpt(text, query) {
    const words = tokenize(query).map((t) => t.replace(/[^\p{L}\p{N}]/gu, ""));
    const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(${words.join("|")})(?![a-z0-9])|[${CJK}]*(${words.join("|")})`, "iu");
    const near = text.search(pattern) - 60;
    const at = near > 0 ? text.indexOf(" ", near) + 1 : 0;
    const paragraph = document.createElement("p");
    paragraph.append(at ? "… " : "");
    let rest = text.slice(at, at + 200);
    while (rest) {
      const hit = pattern.exec(rest);
      if (!hit || !hit[0]) break;
      const mark = document.createElement("mark");
      mark.textContent = hit[0];
      paragraph.append(rest.slice(0, hit.index), mark);
      rest = rest.slice(hit.index + hit[0].length);
    }
    paragraph.append(rest, at + 200 < text.length ? " …" : "");
    return paragraph;
  }

  function show() {
    const query = box.value;
    const hits = search(query);
    const list = document.querySelector("#kx-hits");
    list.replaceChildren(
      ...hits.map(([number, score]) => {
        const { title, chapter, url, text } = sections[number];
        const item = document.createElement("li");
        const link = Object.assign(document.createElement("a"), { href: url, textContent: title });
        const where = Object.assign(document.createElement("span"), { className: "kx-where" });
        where.textContent = `${title === chapter ? "" : chapter + " · "}${score.toFixed(2)}`;
        item.append(link, where, excerpt(text, query));
        return item;
      }),
    );
    document.querySelector("#kx-found").textContent = query.trim()
      ? `${hits.length || "No"} section${hits.length === 1 ? "" : "s"}`
      : "";
    history.replaceState(null, "", query ? `?q=${encodeURIComponent(query)}` : location.pathname);
  }

  box.value = new URLSearchParams(location.search).get("q") || "";
  box.addEventListener("input", show);
  show();
})();
