// On a page of arXiv: one link to the reader, beside the title, if the address names a paper.
(() => {
  const papers = KexuePapers.engine(PAPER_LINKS);
  const [paper] = papers.explain(location.href);
  const title = document.querySelector("h1.title, h1");
  if (!paper || !title || document.querySelector(".kexue-companion")) return;
  const link = document.createElement("a");
  link.className = "kexue-companion";
  link.href = papers.reader([paper])[0];
  link.textContent = "Cool Papers";
  link.rel = "noopener";
  title.append(" [", link, "]");
})();
