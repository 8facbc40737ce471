// Zoom, details at the pointer, and sorting. The page is complete without it.
"use strict";
(() => {
  const timeline = document.querySelector(".timeline");
  if (timeline) zooming(timeline);
  details();
  document.querySelectorAll("table.sortable").forEach(sorting);

  function zooming(timeline) {
    const WIDTH = 10000;
    const span = Number(timeline.dataset.span);
    const tracks = [...timeline.querySelectorAll("svg.track")];
    const axis = timeline.querySelector(".axis");
    const whole = axis.innerHTML;
    // The part that is shown, of the whole.
    let [from, to] = [0, 1];

    const show = (start, end) => {
      const wide = Math.min(1, Math.max(end - start, 1e-9));
      from = Math.min(Math.max(0, start), 1 - wide);
      to = from + wide;
      for (const track of tracks) {
        const high = track.getAttribute("height");
        track.setAttribute("viewBox", `${from * WIDTH} 0 ${wide * WIDTH} ${high}`);
      }
      if (wide === 1) axis.innerHTML = whole;
      else lines();
    };
    const lines = () => {
      const rough = Math.max((to - from) * span / 8, 1e-9);
      const power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) || rough;
      const digits = Math.max(0, -Math.floor(Math.log10(step)));
      axis.replaceChildren();
      for (let n = Math.ceil(from * span / step); n * step <= to * span && axis.childElementCount < 20; n++) {
        const line = document.createElement("span");
        line.style.left = `${(n * step / span - from) / (to - from) * 100}%`;
        line.textContent = `${(n * step).toFixed(digits)} s`;
        axis.append(line);
      }
    };
    const scaled = (by) => {
      const [middle, half] = [(from + to) / 2, (to - from) / 2 * by];
      show(middle - half, middle + half);
    };

    const tools = document.querySelector(".tools");
    tools.hidden = false;
    tools.addEventListener("click", (event) => {
      const zoom = event.target.dataset.zoom;
      if (zoom === "in") scaled(0.5);
      if (zoom === "out") scaled(2);
      if (zoom === "all") show(0, 1);
    });

    // Dragging across the lanes chooses a part.
    let began = null;
    const choice = document.createElement("div");
    choice.className = "choice";
    const part = (event) => {
      const box = axis.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    timeline.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch" || !event.target.closest("svg.track")) return;
      began = part(event);
      timeline.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    timeline.addEventListener("pointermove", (event) => {
      if (began === null) return;
      const now = part(event);
      choice.style.left = `${Math.min(began, now) * 100}%`;
      choice.style.width = `${Math.abs(now - began) * 100}%`;
      axis.append(choice);
    });
    timeline.addEventListener("pointerup", (event) => {
      if (began === null) return;
      const [a, b] = [began, part(event)].sort((x, y) => x - y);
      began = null;
      choice.remove();
      if (b - a > 0.004) show(from + a * (to - from), from + b * (to - from));
    });
    timeline.addEventListener("pointercancel", () => {
      began = null;
      choice.remove();
    });
  }

  // The titles of drawings, at once and beside the pointer.
  function details() {
    for (const title of document.querySelectorAll("svg title")) {
      title.parentNode.dataset.tip = title.textContent;
      title.remove();
    }
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    document.body.append(tip);
    document.addEventListener("pointermove", (event) => {
      const shape = event.target.closest ? event.target.closest("[data-tip]") : null;
      tip.hidden = !shape;
      if (!shape) return;
      tip.textContent = shape.dataset.tip;
      const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
      const below = event.clientY + 18 + tip.offsetHeight < innerHeight;
      tip.style.left = `${Math.max(8, left)}px`;
      tip.style.top = `${below ? event.clientY + 16 : event.clientY - tip.offsetHeight - 10}px`;
    });
  }

  function sorting(table) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (head.dataset.sort === "no") return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const numbers = head.classList.contains("n");
        const first = numbers ? "descending" : "ascending";
        const order = head.ariaSort === first ? (numbers ? "ascending" : "descending") : first;
        for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
        head.ariaSort = order;
        const key = (row) => {
          const cell = row.cells[column];
          return numbers ? Number(cell.dataset.v ?? -Infinity) : cell.textContent.trim().toLowerCase();
        };
        const sign = order === "ascending" ? 1 : -1;
        const rows = [...body.rows].map((row) => [key(row), row]);
        // What has no name stands last either way.
        const compare = ([a], [b]) => a === b ? 0 : a === "" ? 1 : b === "" ? -1 : a < b ? -sign : sign;
        body.append(...rows.sort(compare).map(([, row]) => row));
      });
    });
  }
})();
