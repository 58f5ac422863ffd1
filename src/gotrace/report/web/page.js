"use strict";
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const make = (tag, text, cls) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (cls) node.className = cls;
    return node;
  };
  const COLOURS = ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#ff9da7", "#9c755f", "#8a7fd1"];
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const trim = (n) => String(+n.toPrecision(3));
  const bytes = (n) => {
    if (n === null || n === undefined) return "–";
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let i = 0;
    for (; Math.abs(n) >= 1024 && i < 4; i++) n /= 1024;
    return trim(n) + " " + units[i];
  };
  const count = (n) => {
    const units = ["", "k", "M", "G"];
    let i = 0;
    for (; Math.abs(n) >= 1000 && i < 3; i++) n /= 1000;
    return trim(n) + units[i];
  };
  const seconds = (s) => (s === null || s === undefined ? "–" : s >= 1 || s === 0 ? trim(s) + " s" : s >= 1e-3 ? trim(s * 1e3) + " ms" : trim(s * 1e6) + " µs");
  const share = (n) => (n === null || n === undefined ? "–" : trim(n * 100) + " %");

  // --- charts over time ----------------------------------------------------------------------------------

  const plots = [];
  const steps = [];
  for (let unit = 1; unit < 2 ** 50; unit *= 2) steps.push(unit);

  const markPhases = (u) => {
    const { ctx } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    ctx.fillStyle = ink("--gc");
    ctx.globalAlpha = D.marks.length > 60 ? 0.55 : 1;
    for (const [begin, end] of D.marks) {
      const left = u.valToPos(begin, "x", true);
      ctx.fillRect(left, u.bbox.top, Math.max(u.valToPos(end, "x", true) - left, devicePixelRatio), u.bbox.height);
    }
    ctx.restore();
  };
  const axis = (values, extra) => ({
    stroke: ink("--soft"),
    grid: { stroke: ink("--grid"), width: 1 },
    ticks: { stroke: ink("--grid"), width: 1 },
    font: "12px system-ui, sans-serif",
    values: (u, ticks) => ticks.map(values),
    ...extra,
  });
  const line = (label, stroke, value, extra) => ({ label, stroke, width: 1.5, points: { show: false }, value: (u, v) => value(v), ...extra });
  const draw = (id, height, x, xaxis, data, series, values, extra) => {
    const place = $(id);
    const { hooks, ...rest } = extra || {};
    const u = new uPlot(
      {
        width: place.clientWidth || 600,
        height,
        scales: { x: { time: false }, y: { range: (u, low, high) => [0, Math.max(high, 1e-9) * 1.06] } },
        axes: [axis(xaxis, { size: 34 }), axis(values, values === bytes || values === perSecond ? { size: 74, incrs: steps } : { size: 74 })],
        cursor: { points: { show: false }, drag: { x: true, y: false } },
        series: [x, ...series],
        hooks: { drawClear: D.marks && xaxis === seconds ? [markPhases] : [], ...hooks },
        ...rest,
      },
      data,
      place,
    );
    plots.push([u, place]);
    return u;
  };
  const perSecond = (n) => (n === null || n === undefined ? "–" : bytes(n) + "/s");
  const time = () => ({ label: "time", value: (u, v) => seconds(v) });

  const drawLive = () => {
    const shown = D.series.map(() => true);
    const stack = () => {
      const sum = new Array(D.time.length).fill(0);
      return D.series.map((values, i) => (shown[i] ? values.map((v, at) => (sum[at] += v)) : values.map(() => null)));
    };
    const bands = () => {
      const list = [];
      let below = -1;
      D.series.forEach((_, i) => {
        if (!shown[i]) return;
        if (below >= 0) list.push({ series: [i + 1, below + 1] });
        below = i;
      });
      return list;
    };
    const n = D.names.length;
    const series = D.names.map((name, i) => {
      const colour = i === 0 && D.other ? ink("--other") : COLOURS[(n - 1 - i) % COLOURS.length];
      return { label: name, stroke: colour, fill: colour + "d8", width: 1, points: { show: false }, value: (u, v, s, at) => bytes(at === null ? null : D.series[i][at]) };
    });
    const u = draw("plot-live", 320, time(), seconds, [D.time, ...stack()], series, bytes, {
      bands: bands(),
      hooks: {
        setSeries: [
          (u, i, state) => {
            if (i === null || state.show === undefined) return;
            shown[i - 1] = state.show;
            u.delBand(null);
            bands().forEach((band) => u.addBand(band));
            u.setData([D.time, ...stack()], false);
          },
        ],
      },
    });
    const [clock, ...rows] = u.root.querySelectorAll(".u-legend .u-series");
    rows.forEach((row, i) => (row.querySelector(".u-label").title = D.names[i]));
    if (D.other) rows.push(rows.shift());
    const sorted = D.other ? [...rows.slice(0, -1).reverse(), rows[rows.length - 1]] : rows.reverse();
    clock.parentNode.append(clock, ...sorted);
  };
  const drawRate = () =>
    draw("plot-rate", 230, time(), seconds, [D.time, D.alloc_rate, D.free_rate], [
      line("allocated", COLOURS[0], perSecond, { fill: COLOURS[0] + "33" }),
      line("freed", COLOURS[1], perSecond),
    ], perSecond);
  const drawHeld = () =>
    draw("plot-held", 230, time(), seconds, [D.time, D.span_bytes, D.inuse_bytes, D.stack_bytes, D.go_heap, D.go_goal], [
      line("spans", COLOURS[4], bytes, { fill: COLOURS[4] + "40" }),
      line("objects", COLOURS[0], bytes, { fill: COLOURS[0] + "50" }),
      line("stacks", COLOURS[6], bytes),
      line("Go's heap", ink("--soft"), bytes, { dash: [3, 3], width: 1 }),
      line("Go's goal", COLOURS[3], bytes, { dash: [7, 4], width: 1 }),
    ], bytes);
  const drawAges = () => {
    const x = D.survival[0].map((_, i) => i);
    draw("plot-ages", 230, { label: "GC cycles", value: (u, v) => (v === null ? "–" : v) }, (v) => (v % 1 ? "" : String(v)), [x, ...D.survival], [
      line("bytes", COLOURS[0], share, { fill: COLOURS[0] + "33", paths: uPlot.paths.stepped({ align: 1 }) }),
      line("objects", COLOURS[1], share, { paths: uPlot.paths.stepped({ align: 1 }) }),
    ], share, { scales: { x: { time: false, range: [0, Math.max(x.length - 1, 1)] }, y: { range: [0, 1.02] } } });
  };

  // --- flame graphs: package, type, size class; allocation sites -----------------------------------------

  const flames = { flame: { root: D.flame, focus: D.flame, by: 0 }, who: { root: D.who, focus: D.who, by: 0 } };
  const hue = (name) => {
    let h = 7;
    for (const c of name) h = (h * 31 + c.codePointAt(0)) >>> 0;
    return h % 360;
  };
  const drawFlame = (id) => {
    const flame = flames[id];
    if (!flame.root) return;
    const { root, focus, by } = flame;
    const place = $("plot-" + id);
    place.replaceChildren();
    let deepest = 0;
    const total = root.v[by];
    const path = [];
    const trail = (node) => {
      path.push(node);
      if (node === focus) return true;
      for (const child of node.c || []) if (trail(child)) return true;
      path.pop();
      return false;
    };
    trail(root);
    const box = (node, depth, left, width, colour) => {
      if (width < 0.05) return;
      deepest = Math.max(deepest, depth);
      const button = make("button", node.n);
      button.type = "button";
      const text = bytes(node.v[by]) + ", " + share(total ? node.v[by] / total : 0);
      button.append(make("small", text));
      button.title = node.n + "\n" + text;
      button.style.left = left + "%";
      button.style.width = width + "%";
      button.style.top = depth * 42 + "px";
      button.style.background = colour;
      const pixels = (place.clientWidth * width) / 100;
      if (pixels < 26) {
        button.textContent = "";
        button.classList.add(pixels < 4 ? "hair" : "thin");
      }
      button.setAttribute("aria-label", node.n + ", " + text);
      button.addEventListener("click", () => {
        flame.focus = node.c || path.includes(node) ? node : focus;
        drawFlame(id);
        const first = place.querySelector("button");
        if (first) first.focus({ preventScroll: true });
      });
      place.append(button);
    };
    const tint = (node, depth, parent) => (depth === 0 ? "#c3cbd6" : `hsl(${parent} ${depth === 1 ? 62 : 55}% ${depth === 1 ? 70 : depth === 2 ? 76 : 83}%)`);
    const below = (node, depth, left, width, parent) => {
      const sum = node.v[by];
      let at = left;
      for (const child of [...(node.c || [])].sort((a, b) => b.v[by] - a.v[by])) {
        if (!child.v[by] || !sum) continue;
        const w = (width * child.v[by]) / sum;
        const h = depth === 0 ? hue(child.n) : parent;
        box(child, depth + 1, at, w, tint(child, depth + 1, h));
        below(child, depth + 1, at, w, h);
        at += w;
      }
    };
    const tinted = path[1] ? hue(path[1].n) : 0;
    path.forEach((node, depth) => box(node, depth, 0, 100, tint(node, depth, tinted)));
    below(focus, path.length - 1, 0, 100, tinted);
    place.style.height = (deepest + 1) * 42 + "px";
  };

  // --- size classes --------------------------------------------------------------------------------------

  let sizesBy = 0;
  const drawSizes = () => {
    const place = $("plot-sizes");
    place.replaceChildren();
    const format = sizesBy === 0 ? count : bytes;
    const most = Math.max(1, ...D.sizes.map((row) => row.scan[sizesBy] + row.noscan[sizesBy]));
    const every = Math.ceil(D.sizes.length / Math.max(place.clientWidth / 44, 4));
    D.sizes.forEach((row, i) => {
      const column = make("div");
      column.title = `${row.name}: ${format(row.scan[sizesBy])} with pointers, ${format(row.noscan[sizesBy])} without`;
      for (const [cls, n] of [["noscan", row.noscan[sizesBy]], ["scan", row.scan[sizesBy]]]) {
        const bar = make("i", undefined, cls);
        bar.style.height = (100 * n) / most + "%";
        column.append(bar);
      }
      if (i % every === 0) column.append(make("em", row.label));
      place.append(column);
    });
  };

  // --- spans, address by time ----------------------------------------------------------------------------

  const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const ramp = (x) => {
    const at = Math.min(Math.max(x, 0), 1) * (RAMP.length - 1);
    const i = Math.min(Math.floor(at), RAMP.length - 2);
    return RAMP[i].map((v, k) => Math.round(v + (RAMP[i + 1][k] - v) * (at - i)));
  };
  const plane = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const occupied = plane(D.map.occupied);
  const held = plane(D.map.held);
  const BOTTOM = 22;
  let left = 0;
  const hex = (row) => "0x" + (BigInt(D.map.base) + BigInt(row) * BigInt(D.map.step)).toString(16);
  const drawMap = () => {
    const canvas = $("plot-map");
    const scale = devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const ctx = canvas.getContext("2d");
    ctx.scale(scale, scale);
    const { rows, bins } = D.map;
    if (!rows) return;
    const picture = new ImageData(bins, rows);
    for (let b = 0; b < bins; b++)
      for (let r = 0; r < rows; r++) {
        const at = b * rows + r;
        const to = 4 * ((rows - 1 - r) * bins + b);
        if (!held[at]) continue;
        picture.data.set(ramp(occupied[at] / 255), to);
        picture.data[to + 3] = 70 + Math.round((185 * held[at]) / 255);
      }
    const small = document.createElement("canvas");
    small.width = bins;
    small.height = rows;
    small.getContext("2d").putImageData(picture, 0, 0);
    ctx.font = "12px system-ui, sans-serif";
    left = Math.ceil(ctx.measureText(hex(rows)).width) + 12;
    ctx.imageSmoothingEnabled = false;
    ctx.fillStyle = ink("--zebra");
    ctx.fillRect(left, 0, width - left, height - BOTTOM);
    ctx.drawImage(small, left, 0, width - left, height - BOTTOM);
    ctx.fillStyle = ink("--soft");
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    for (let i = 0; i <= 4; i++) {
      const row = Math.round((rows * i) / 4);
      ctx.fillText(hex(row), left - 6, Math.min(Math.max((height - BOTTOM) * (1 - i / 4), 7), height - BOTTOM - 6));
    }
    ctx.textBaseline = "alphabetic";
    const ticks = width < 500 ? 3 : 6;
    for (let i = 0; i <= ticks; i++) {
      ctx.textAlign = i === 0 ? "left" : i === ticks ? "right" : "center";
      ctx.fillText(seconds((D.duration * i) / ticks), left + ((width - left) * i) / ticks, height - 5);
    }
    $("scale").style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map((x) => `rgb(${ramp(x)})`)})`;
  };
  $("plot-map").addEventListener("mousemove", (event) => {
    const canvas = $("plot-map");
    const { rows, bins } = D.map;
    const bin = Math.floor(((event.offsetX - left) / (canvas.clientWidth - left)) * bins);
    const row = rows - 1 - Math.floor((event.offsetY / (canvas.clientHeight - BOTTOM)) * rows);
    if (bin < 0 || bin >= bins || row < 0 || row >= rows) return;
    const at = bin * rows + row;
    const text = held[at] ? `${share(held[at] / 255)} covered by spans, which are ${share(occupied[at] / 255)} full` : "no spans";
    $("map-readout").textContent = `${seconds(D.time[bin])}, ${hex(row)} (${bytes(D.map.step)}): ${text}`;
  });

  // --- tables --------------------------------------------------------------------------------------------

  for (const table of document.querySelectorAll("table.rows")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const value = (row, i) => {
      const cell = row.cells[i];
      return cell.dataset.v === undefined ? cell.textContent : +cell.dataset.v;
    };
    heads.forEach((head, i) => {
      head.querySelector("button").addEventListener("click", () => {
        const number = body.rows.length && typeof value(body.rows[0], i) === "number";
        const down = head.ariaSort ? head.ariaSort !== "descending" : number;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sign = down ? -1 : 1;
        const keyed = [...body.rows].map((row) => [value(row, i), row]);
        keyed.sort(([a], [b]) => sign * (number ? a - b : a < b ? -1 : a > b ? 1 : 0));
        body.append(...keyed.map(([, row]) => row));
      });
    });
    const search = $("filter-" + table.id);
    const counter = $("count-" + table.id);
    const filter = () => {
      const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let n = 0;
      for (const row of body.rows) {
        const name = row.cells[0].textContent.toLowerCase();
        const on = terms.every((term) => name.includes(term));
        row.classList.toggle("off", !on);
        n += on;
      }
      counter.textContent = `${n} of ${body.rows.length} rows`;
    };
    search.addEventListener("input", filter);
    filter();
  }

  // --- the whole page ------------------------------------------------------------------------------------

  const drawAll = () => {
    for (const [u] of plots) u.destroy();
    plots.length = 0;
    if (D.seen) {
      drawLive();
      drawRate();
      drawHeld();
      drawAges();
      drawMap();
      Object.keys(flames).forEach(drawFlame);
      drawSizes();
    }
    document.documentElement.dataset.drawn = String(plots.length);
  };
  for (const [id, set] of [["flame-by", (by) => { Object.assign(flames.flame, { by, focus: D.flame }); drawFlame("flame"); }], ["sizes-by", (by) => { sizesBy = by; drawSizes(); }]])
    $(id).addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      for (const other of $(id).children) other.setAttribute("aria-pressed", String(other === button));
      set(+button.dataset.by);
    });
  const root = document.documentElement;
  const isDark = () => (root.classList.contains("dark") || (!root.classList.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches));
  const paint = (dark) => {
    root.classList.toggle("dark", dark);
    root.classList.toggle("light", !dark);
    updateSwitch();
    drawAll();
  };
  const updateSwitch = () => {
    $("theme").textContent = isDark() ? "Light" : "Dark";
    $("theme").setAttribute("aria-pressed", String(isDark()));
  };
  $("theme").addEventListener("click", () => paint(!isDark()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { updateSwitch(); drawAll(); });
  let before = null;
  addEventListener("beforeprint", () => { before = isDark(); if (before) paint(false); });
  addEventListener("afterprint", () => { if (before) paint(true); });
  let pending = 0;
  let seen = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === seen) return;
    seen = innerWidth;
    clearTimeout(pending);
    pending = setTimeout(drawAll, 120);
  });
  if (location.hash === "#dark" || location.hash === "#light") paint(location.hash === "#dark");
  else { updateSwitch(); drawAll(); }
})();
