// The entry of the context menu: what is selected, else the link, else the page, else a search for the selected words.
// Nothing is stored and nothing is fetched: a tab opens, that is all.
importScripts("paper-links.js", "table.js");
const papers = KexuePapers.engine(PAPER_LINKS);

// The addresses that a click leads to. Papers of arXiv and of conferences make two.
function addresses({ selectionText, linkUrl, pageUrl, frameUrl }) {
  const found = papers.pick(selectionText, linkUrl, pageUrl, frameUrl);
  if (found.length) return papers.reader(found);
  const words = papers.search(selectionText || "");
  return words.endsWith("query=") ? [] : [words];
}

function redirect(info, tab) {
  for (const url of addresses(info)) chrome.tabs.create({ url, index: tab ? tab.index + 1 : undefined });
}

chrome.runtime.onInstalled.addListener(() => {
  chrome.contextMenus.create({ id: "redirect", title: "Open in Cool Papers", contexts: ["selection", "link", "page", "frame"] });
});
chrome.contextMenus.onClicked.addListener(redirect);
