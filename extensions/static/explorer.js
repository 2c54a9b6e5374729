// The reader's half of kexue_core/notebook/player.py: controls, addresses and the pointer move an explorer.
(() => {
  "use strict";

  // ---- How things are written: the inverse of `Control.find` and a copy of `format_number`.

  const plain = (text) => text.replaceAll("\u2212", "-").replace(/[\s\u202f]/g, "").toLowerCase();

  function format(value, digits = 4) {
    if (typeof value === "string") return value;
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    if (Number.isSafeInteger(value)) return grouped(String(value).replace("-", "−"));
    const [mantissa, power] = rounded(value, digits).split("e");
    const exponent = Number(power);
    const bare = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text).replace("-", "−");
    if (exponent <= -5 || exponent >= 7) return `${bare(mantissa)}e${exponent}`;
    return grouped(bare(Number(`${mantissa}e${exponent}`).toFixed(Math.max(digits - 1 - exponent, 0))));
  }

  // `toExponential`, but a tie goes to the even digit as in Python.
  function rounded(value, digits) {
    const text = value.toExponential(digits - 1);
    const [exact, power] = value.toExponential(20).split("e");
    const cut = exact.indexOf(".") + digits;
    return /^50*$/.test(exact.slice(cut)) && exact[cut - 1] % 2 === 0 ? `${exact.slice(0, cut)}e${power}` : text;
  }

  function grouped(text) {
    const [head, ...tail] = text.split(".");
    const wide = head.replace("−", "").length > 4 ? head.replace(/\B(?=(\d{3})+$)/g, "\u202f") : head;
    return [wide, ...tail].join(".");
  }

  const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

  // What a twin draws may hold text from an address: nothing in it may run or reach out.
  function harmless(markup) {
    const box = document.createElement("template");
    box.innerHTML = markup;
    for (const element of box.content.querySelectorAll("*")) {
      if (/^(script|style|iframe|object|embed|link|meta|base|form|foreignobject)$/i.test(element.localName)) element.remove();
      for (const { name, value } of [...element.attributes])
        if (/^on/i.test(name) || (/(href|src|action|data)$/i.test(name) && !value.trim().startsWith("#")) || /url\(\s*["']?(?!#)/i.test(value))
          element.removeAttribute(name);
    }
    return box.content;
  }

  // ---- One explorer.

  const started = new WeakMap(); // explorer -> promise of what can be done with it
  let address; // what will write it: the last move on the page counts, or a link that is followed after it

  async function start(explorer) {
    const data = await KexueFrames.unpack(explorer.querySelector(".kx-frames").textContent);
    const part = (selector) => explorer.querySelector(selector);
    const image = part(".kx-picture");
    const status = part(".kx-status");
    const dds = [...explorer.querySelectorAll(".kx-numbers dd > span")];
    const showFrame = KexueFrames.shower(image, data);
    const twin = data.twin ? await Function(`"use strict"; return (${data.twin}\n);`)() : null; // it may load scripts first
    const controls = data.controls.map((control) => ({
      ...control,
      at: control.start, // index of the stop, or the typed text
      inputs: [...explorer.querySelectorAll(`[data-control="${control.name}"]`)],
    }));
    let shown = controls.reduce((frame, control) => frame * control.names.length + control.start, 0);
    let announcement;

    const name = (control) => (typeof control.at === "number" ? control.names[control.at] : control.at);
    const key = (control) => (typeof control.at === "number" ? control.keys[control.at] : control.at);
    const value = (control) => (typeof control.at === "number" ? control.values[control.at] : control.at);

    const compute = (values) => twin(values, { format, escape });

    function current() {
      if (controls.every(({ at }) => typeof at === "number"))
        return controls.reduce((frame, control) => frame * control.names.length + control.at, 0);
      return -1; // typed: no picture of it was drawn
    }

    function describe(numbers) {
      const known = Object.fromEntries([...data.names.map((n, i) => [n, numbers[i]]), ...controls.map((c) => [c.name, name(c)])]);
      return data.alt.replace(/\{\{|\}\}|\{([^{}]*)\}/g, (all, field) => (field === undefined ? all[0] : known[field]));
    }

    function show() {
      for (const control of controls) write(control);
      const frame = current();
      let numbers, alt;
      if (frame >= 0) {
        if (frame === shown) return;
        numbers = data.values[frame];
        showFrame(frame);
        grips(image, data.drags);
      } else {
        const result = compute(Object.fromEntries(controls.map((c) => [c.name, value(c)])));
        numbers = data.names.map((n) => format(result.numbers[n]));
        image.replaceChildren(harmless(result.picture));
        alt = result.alt;
        showFrame.forget();
      }
      shown = frame;
      image.setAttribute("aria-label", alt ?? describe(numbers));
      numbers.forEach((text, i) => dds[i].textContent !== text && (dds[i].textContent = text));
      explorer.dataset.frame = frame;
      if (frame >= 0) reveal(image, data.drags, frame, controls);
      clearTimeout(announcement);
      announcement = setTimeout(() => (status.textContent = data.names.map((n, i) => `${n}: ${numbers[i]}`).join("; ")), 600);
    }

    function write(control) {
      if (control.kind === "buttons") control.inputs.forEach((input, i) => (input.checked = i === control.at));
      else if (control.kind === "text") {
        if (control.inputs[0].value.trim() !== name(control).trim()) control.inputs[0].value = name(control);
      } else {
        control.inputs[0].value = control.at;
        control.inputs[0].setAttribute("aria-valuetext", name(control));
        control.inputs[0].nextElementSibling.firstChild.textContent = name(control);
      }
    }

    const written = (text) => encodeURIComponent(text.replace(/\p{Cs}/gu, "\ufffd")); // half a letter has no address
    const hash = () => `#${explorer.id}?${controls.map((c) => `${c.name}=${written(key(c))}`).join("&")}`;

    function moved() {
      part(".kx-note[role=alert]")?.remove();
      show();
      clearTimeout(address); // browsers allow few changes of the address in a second
      address = setTimeout(() => keep(hash()), 300);
    }

    // The stop that is called so, or for a number the nearest one; −1 for what has none.
    function find(control, text) {
      const wanted = plain(text), unit = plain(control.unit);
      let index = control.keys.indexOf(text);
      if (index < 0) index = control.names.findIndex((n) => plain(n) === wanted || plain(n) === wanted + unit);
      return index < 0 ? nearest(control.values, unit && wanted.endsWith(unit) ? wanted.slice(0, -unit.length) : wanted) : index;
    }

    function nearest(values, text) {
      const known = values.filter((v) => typeof v === "number");
      if (!known.length || !text || Number.isNaN(Number(text))) return -1;
      const inside = Math.min(Math.max(Number(text), Math.min(...known)), Math.max(...known));
      const best = known.reduce((one, other) => (Math.abs(other - inside) < Math.abs(one - inside) ? other : one));
      return values.indexOf(best);
    }

    // Set the controls that a query names; what it leaves out keeps its stop, and what is not here is told.
    function set(query) {
      const lost = [];
      for (const [label, text] of new URLSearchParams(query)) {
        const control = controls.find((c) => c.name === label);
        const index = control ? find(control, text) : -1;
        if (index >= 0) control.at = index;
        else if (control?.kind === "text") control.at = text;
        else lost.push(`${label} = ${text}`.slice(0, 40));
      }
      moved();
      if (lost.length) tell(explorer, lost.join(", "));
    }

    function read(control) {
      const { value } = control.inputs[0];
      if (control.kind === "buttons") control.at = Math.max(0, control.inputs.findIndex((input) => input.checked));
      else if (control.kind === "slider") control.at = Number(value);
      else {
        const index = control.names.indexOf(value.trim());
        control.at = index >= 0 ? index : value;
      }
    }

    for (const control of controls)
      for (const input of control.inputs) input.addEventListener("input", () => (read(control), moved()));

    function move(index, stop) {
      const before = controls[index].at;
      controls[index].at = stop;
      moved();
      return before;
    }

    drags(image, data.drags, move, current);

    part(".kx-copy").addEventListener("click", async () => {
      const link = location.href.split("#")[0] + hash();
      let done = true;
      try {
        await navigator.clipboard.writeText(link);
      } catch {
        const box = document.createElement("textarea"); // an older browser, or a page without the permission
        box.value = link;
        explorer.append(box);
        box.select();
        done = document.execCommand("copy");
        box.remove();
      }
      status.textContent = done ? "copied" : "not copied";
      part(".kx-copy").textContent = done ? "Copied" : "Copy failed";
      setTimeout(() => (part(".kx-copy").textContent = "Copy link"), 1500);
    });

    controls.forEach(read); // the browser or the reader may have moved them already
    show();
    Object.assign(explorer, { compute, format }); // the tests compare a twin with Python through them
    explorer.classList.add("kx-ready");
    return { set };
  }

  // On a narrow screen a picture may be wider than its box: scroll to where the control has moved.
  function reveal(image, rules, frame, controls) {
    const box = image.parentElement;
    if (box.scrollWidth <= box.clientWidth + 1) return;
    for (const { control, direction, panel, places, of } of rules) {
      if (direction !== "x" || !image.children[panel]) continue;
      const { a, e } = image.children[panel].getScreenCTM();
      const place = places[of[frame]][controls[control].at] * a + e - box.getBoundingClientRect().left;
      const room = 0.12 * box.clientWidth;
      box.scrollLeft += Math.max(0, place - box.clientWidth + room) + Math.min(0, place - room);
    }
  }

  // Mark the panels that can be dragged; one that is drawn anew has lost its mark.
  function grips(image, rules) {
    for (const { panel, direction } of rules) {
      const { dataset } = image.children[panel] ?? image;
      dataset.drag = (dataset.drag ?? direction) === direction ? direction : "xy";
    }
  }

  // A pointer over the picture moves the nearest stop under it.
  function drags(image, rules, move, current) {
    grips(image, rules);
    let held = null, before; // the rules of the panel where the pointer went down; where their controls stood
    const follow = (event) => {
      const svg = image.children[held[0].panel];
      const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return held.map(({ control, direction, places, of }) => {
        const at = direction === "x" ? x : y;
        const stops = places[of[Math.max(current(), 0)]];
        let best = 0;
        stops.forEach((place, i) => Math.abs(place - at) < Math.abs(stops[best] - at) && (best = i));
        return move(control, best);
      });
    };
    image.addEventListener("pointerdown", (event) => {
      const svg = event.target.closest(".kx-picture > svg");
      const mine = rules.filter((rule) => image.children[rule.panel] === svg);
      if (!svg || !mine.length || event.button !== 0) return;
      held = mine;
      svg.setPointerCapture(event.pointerId);
      event.preventDefault(); // do not mark the letters of the picture
      before = follow(event);
    });
    image.addEventListener("pointermove", (event) => held && follow(event));
    image.addEventListener("pointerup", () => (held = null));
    image.addEventListener("pointercancel", () => {
      held?.forEach(({ control }, i) => move(control, before[i])); // the finger scrolls the page
      held = null;
    });
  }

  const ready = (explorer) => started.get(explorer) ?? (started.set(explorer, start(explorer)), started.get(explorer));

  // ---- Addresses: #name?base=5000 shows an explorer at that stop.

  // Say at the top of a box that the address asks for what is not there.
  function tell(box, lost) {
    const note = document.createElement("p");
    note.className = "kx-note";
    note.setAttribute("role", "alert");
    note.textContent = `The address asks for what is not here: ${lost}.`;
    box.prepend(note);
    return note;
  }

  function decoded(id) {
    try {
      return decodeURIComponent(id);
    } catch {
      return id; // a bare % sign
    }
  }

  const back = history.state?.kept; // who comes back stays where the page was; Sphinx wipes the mark out
  function keep(hash, write = "replaceState") {
    try {
      history[write]({ kept: true }, "", hash);
    } catch {} // too many, or a page inside another one: the picture counts
  }

  let stray; // what was said of an address that names no explorer of the page

  async function go(hash, back, followed) {
    const [, id, query] = /^#?([^?]*)(?:\?(.*))?/.exec(hash);
    const explorer = document.getElementById(decoded(id));
    stray?.remove();
    if (!explorer?.classList.contains("kx-explorer")) {
      if (query === undefined) return; // a place in the text
      stray = tell(document.querySelector(".bd-article") ?? document.body, `the explorer “${decoded(id).slice(0, 40)}”`);
      stray.scrollIntoView({ block: "nearest" });
      return;
    }
    const { set } = await ready(explorer);
    if (query) set(query);
    if (back) return;
    const { top, bottom } = explorer.getBoundingClientRect();
    const picture = explorer.querySelector(".kx-picture").getBoundingClientRect();
    if (top >= 0 && Math.min(bottom, picture.bottom) <= innerHeight) return;
    if (followed) keep(hash, "pushState");
    explorer.scrollIntoView({ block: "center" });
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href*='#']");
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const here = location.href.split("#")[0];
    if (link.href.split("#")[0] !== here || !link.hash.includes("?")) return;
    event.preventDefault(); // the same link works a second time, and nothing is loaded
    clearTimeout(address);
    keep(link.hash);
    go(link.hash, false, true);
  });
  addEventListener("hashchange", () => {
    clearTimeout(address);
    go(location.hash, history.state?.kept);
  });

  // Unpack when the explorer comes near, so that a page with several opens at once.
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries)
        if (isIntersecting) {
          seen.unobserve(target);
          ready(target);
        }
    },
    { rootMargin: "600px" },
  );
  const watch = () => {
    document.querySelectorAll(".kx-explorer").forEach((explorer) => seen.observe(explorer));
    if (location.hash.includes("?")) go(location.hash, back);
  };
  if (document.readyState === "complete") watch();
  else document.addEventListener("DOMContentLoaded", watch); // when every deferred script has run: a twin may need one

  // Boxes that scroll must be reachable by keyboard.
  function reachable() {
    for (const box of document.querySelectorAll(
      ".math, pre, .cell_output, .cell_output .output, .bd-article table, .pst-scrollable-table-container, .kx-scroll",
    ))
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else if (!box.closest(".kx-table")) box.removeAttribute("tabindex");
  }
  addEventListener("load", reachable);
  addEventListener("resize", reachable);
})();
