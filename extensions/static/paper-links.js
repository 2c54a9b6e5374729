// Addresses of papers: what `kexue_core.engineering.links` does, line for line, with the same table. Equal by test on
// all short texts over ten characters and on cuts of addresses. A page of the book and the companion extension share
// this file.
(() => {
  "use strict";

  function engine(table) {
    const automata = {};
    for (const [name, { edges, accepting, counts }] of Object.entries(table.automata)) {
      const maps = edges.map((moves) => new Map(Object.entries(moves).flatMap(([set, to]) => [...set].map((c) => [c, to]))));
      automata[name] = { edges: maps, accepting: new Set(accepting), counts };
    }
    const own = (object, key) => (Object.prototype.hasOwnProperty.call(object, key) ? object[key] : undefined);
    const words = new RegExp(`[${table.word.replace(/[-\]\\^]/g, "\\$&")}]+`, "g");
    const REFUSED = ["no such year", "no such year", "no such month", "no such month", "no dot after the month"];

    function walk(name, text) {
      const states = [0];
      for (const character of text) {
        const next = automata[name].edges[states.at(-1)].get(character);
        if (next === undefined) break;
        states.push(next);
      }
      return states;
    }

    function accepted(name, text) {
      const states = walk(name, text);
      return [states.length - 1 === [...text].length && automata[name].accepting.has(states.at(-1)), states.length - 1];
    }

    function rank(text) {
      const { edges, counts } = automata.new;
      const states = walk("new", text);
      let sum = 0;
      [...text].forEach((character, place) => {
        for (const [other, to] of edges[states[place]]) if (other < character) sum += counts[to];
      });
      return sum;
    }

    const paper = (source, key, version = null) => ({ source, key, version });
    const parted = (text, mark) => {
      const place = text.indexOf(mark);
      return place < 0 ? [text, "", ""] : [text.slice(0, place), mark, text.slice(place + mark.length)];
    };
    const cut = (text, marks) => {
      const places = [...marks].map((mark) => text.indexOf(mark)).filter((place) => place >= 0);
      const place = Math.min(text.length, ...places);
      return [text.slice(0, place), text.slice(place)];
    };

    function read(source, text) {
      if (source !== "arxiv") {
        const [holds, taken] = accepted(source, text);
        if (source === "IJCAI" && holds) text = text.replace(/\/0*/, "/");
        return holds ? [paper(source, text), `a key of ${source}`, taken] : [null, `no key of ${source}`, taken];
      }
      const place = text.lastIndexOf("v");
      let version = null;
      if (place > 0 && accepted("version", text.slice(place))[0]) {
        version = Number(text.slice(place + 1));
        text = text.slice(0, place);
      }
      const more = version === null ? 0 : String(version).length + 1;
      const [holds, taken] = accepted("new", text);
      if (holds) return [paper("arxiv", text, version), "an id of arXiv", taken + more];
      const [old, further] = accepted("old", text);
      if (old) {
        const [archive, , number] = parted(text, "/");
        return [paper("arxiv", `${parted(archive, ".")[0]}/${number}`, version), "an old id of arXiv", further + more];
      }
      if (further > taken || taken === 0) return [null, "no id of arXiv", further];
      if (taken === [...text].length) return [null, "it ends too early", taken];
      return [null, REFUSED[taken] || "no such number in this month", taken];
    }

    function venue(text) {
      const place = text.lastIndexOf("@");
      const source = text.slice(place + 1);
      let key = text.slice(0, Math.max(place, 0));
      if (source === "IJCAI" || source === "PMLR") {
        const [name, , volume] = parted(key, "@");
        key = `${volume}/${name}`;
      }
      const known = own(table.homes, source) && source !== "arxiv";
      return known ? read(source, key) : [null, "no key of the reader", 0];
    }

    function bare(text) {
      for (const prefix of ["arxiv:", "10.48550/arxiv."])
        if (text.slice(0, prefix.length).toLowerCase() === prefix) {
          const [found, reason, taken] = read("arxiv", text.slice(prefix.length));
          return [found, reason, taken + prefix.length];
        }
      if (text.includes("@")) return venue(text);
      const holds = read("ACL", text);
      return holds[0] ? holds : read("arxiv", text);
    }

    function byQuery(site, path, query, start) {
      if (!site.before.includes(path)) return [null, "no paper has such a path on openreview.net", start];
      const values = [];
      let place = 1; // behind the question mark
      for (const part of query.split("&")) {
        const [name, mark, value] = parted(part, "=");
        if (name === site.query) values.push([place + name.length + mark.length, value]);
        place += part.length + 1;
      }
      start += path.length;
      if (values.length !== 1) return [null, `${values.length} values of ${site.query}`, start];
      const [found, reason, taken] = read(site.source, values[0][1]);
      return [found, reason, start + values[0][0] + taken];
    }

    function byPath(site, before, rest, start) {
      let first = null;
      for (const after of site.after)
        if (rest.endsWith(after)) {
          let key = rest.slice(0, rest.length - after.length);
          const place = key.lastIndexOf("/");
          const head = key.slice(0, Math.max(place, 0));
          if (after === ".pdf" && site.twice) key = head.endsWith(`/${key.slice(place + 1)}`) ? head : "";
          const [found, reason, taken] = before === "/venue/" ? venue(key) : read(site.source, key);
          if (found) return [found, reason, start + rest.length];
          first ||= [null, reason, start + taken];
        }
      return first || [null, "no paper has such a path", start];
    }

    function explain(raw) {
      const text = raw.replace(/^[ \t\r\n]+/, "").replace(/(?<![ \t\r\n])[ \t\r\n]+$/, "");
      const [scheme, mark, behind] = parted(text, "://");
      if (mark && !["http", "https"].includes(scheme.toLowerCase())) return [null, "the scheme is neither http nor https", 0];
      const rest = mark ? behind : text;
      const [authority, tail] = cut(rest, "/?#");
      const [host, colon, port] = parted(authority.toLowerCase(), ":");
      const name = own(table.hosts, host);
      if (!mark && !name) return bare(text);
      let start = text.length - rest.length;
      if (authority.includes("@")) return [null, "an address with a user", start];
      if (colon && port !== "80" && port !== "443") return [null, "an unexpected port", start + host.length];
      if (!name) return [null, "the host is not in the table", start];
      const site = table.sites[name];
      start += authority.length;
      const [escaped, query] = cut(parted(tail, "#")[0], "?");
      const path = escaped.replace(/%[2-7][0-9A-Fa-f]/g, (code) => String.fromCharCode(parseInt(code.slice(1), 16)));
      if (site.query) return byQuery(site, path, query.slice(1), start);
      for (const before of site.before)
        if (path.startsWith(before)) return byPath(site, before, path.slice(before.length), start + before.length);
      return [null, `no paper has such a path on ${host}`, start];
    }

    function find(text) {
      const found = new Map();
      for (const [word] of text.matchAll(words)) {
        let end = word.length;
        while (end && table.closing.includes(word[end - 1])) end--;
        const [one] = explain(word.slice(0, end));
        if (one) found.set(`${one.source} ${one.key}`, paper(one.source, one.key));
      }
      return [...found.values()];
    }

    function pick(...evidence) {
      for (const text of evidence) {
        const papers = text ? find(text) : [];
        if (papers.length) return papers;
      }
      return [];
    }

    const source = ({ source, key, version }) => table.homes[source].replace("{}", version === null ? key : `${key}v${version}`);

    function readerKey({ source, key }) {
      if (source === "arxiv") return key;
      const [volume, slash, name] = parted(key, "/");
      return slash ? `${name}@${volume}@${source}` : `${key}@${source}`;
    }

    // Papers of both branches make two addresses.
    function reader(papers) {
      const branches = { arxiv: [], venue: [] };
      for (const one of papers) branches[one.source === "arxiv" ? "arxiv" : "venue"].push(readerKey(one));
      return Object.entries(branches).filter(([, keys]) => keys.length).map(([name, keys]) => `${table.reader}/${name}/${keys.join(",")}`);
    }

    function search(text, branch = "arxiv") {
      const query = encodeURIComponent((text.match(/[\p{L}\p{N}]{2,}/gu) || []).join(" "));
      return `${table.reader}/${branch}/search?highlight=1&query=${query}`;
    }

    return { accepted, walk, explain, find, pick, rank, source, reader, search };
  }

  globalThis.KexuePapers = { engine };
})();
