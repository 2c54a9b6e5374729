// The reader's half of kexue_core/notebook/player.py: unpack the pictures of an explorer and swap them as sliders move.
(() => {
  "use strict";
  const SLOT = "\u0001";

  // Undo the prediction of one group: the inverse of `_smallest` in player.py.
  function coordinates(group, planes, offset) {
    const frames = group.frames.length;
    const columns = group.fixed.filter((value) => value === null).length;
    const size = frames * columns;
    const rows = Array.from({ length: frames }, () => new Int32Array(columns));
    for (let i = 0; i < size; i++) {
      const zigzag = planes[offset + i] | (planes[offset + size + i] << 8) | (planes[offset + 2 * size + i] << 16);
      const row = group.transposed ? i % frames : Math.floor(i / columns);
      const column = group.transposed ? Math.floor(i / frames) : i % columns;
      rows[row][column] = (zigzag >> 1) ^ -(zigzag & 1);
    }
    for (let pass = 0; pass < group.order; pass++)
      for (const row of rows)
        for (let column = group.stride; column < columns; column++) row[column] += row[column - group.stride];
    if (group.time)
      for (let frame = 1; frame < frames; frame++)
        for (let column = 0; column < columns; column++) rows[frame][column] += rows[frame - 1][column];
    return { rows, used: 3 * size };
  }

  async function unpack(text) {
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const data = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    const where = new Map(); // frame -> what its picture is made of
    let offset = 4 + length;
    for (const group of data.groups) {
      const { rows, used } = coordinates(group, bytes, offset);
      offset += used;
      const pieces = group.template.split(SLOT);
      group.frames.forEach((frame, i) => where.set(frame, { pieces, fixed: group.fixed, row: rows[i] }));
    }
    return { ...data, where };
  }

  function picture({ pieces, fixed, row }) {
    let svg = pieces[0];
    let moving = 0;
    for (let i = 0; i < fixed.length; i++) svg += (fixed[i] === null ? row[moving++] : fixed[i]) / 10 + pieces[i + 1];
    return svg;
  }

  async function start(explorer) {
    const data = await unpack(explorer.querySelector(".kx-frames").textContent);
    const sliders = [...explorer.querySelectorAll("input[type=range]")];
    const image = explorer.querySelector(".kx-picture");
    const numbers = [...explorer.querySelectorAll(".kx-numbers dd")];
    let shown = -1;

    function show() {
      let frame = 0;
      for (const slider of sliders) {
        frame = frame * (Number(slider.max) + 1) + Number(slider.value);
        const name = JSON.parse(slider.dataset.names)[slider.value];
        slider.setAttribute("aria-valuetext", name);
        slider.nextElementSibling.value = name;
      }
      if (frame === shown) return;
      shown = frame;
      image.innerHTML = picture(data.where.get(frame));
      image.setAttribute("aria-label", data.alts[frame]);
      data.values[frame].forEach((value, i) => (numbers[i].textContent = value));
      explorer.dataset.frame = frame;
    }

    for (const slider of sliders) slider.addEventListener("input", show);
    show();
    explorer.classList.add("kx-ready");
  }

  // Unpack when the explorer comes near, so that a page with several opens at once.
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries)
        if (isIntersecting) {
          seen.unobserve(target);
          start(target);
        }
    },
    { rootMargin: "600px" },
  );
  const watch = () => document.querySelectorAll(".kx-explorer").forEach((explorer) => seen.observe(explorer));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();

  // Boxes that scroll must be reachable by keyboard.
  function reachable() {
    for (const box of document.querySelectorAll(
      "div.math, pre, .cell_output, .cell_output .output, .bd-article table, .pst-scrollable-table-container, .kx-scroll",
    ))
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else if (!box.closest(".kx-table")) box.removeAttribute("tabindex");
  }
  addEventListener("load", reachable);
  addEventListener("resize", reachable);
})();
