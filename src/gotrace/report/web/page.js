"use strict";
(() => {
  document.documentElement.classList.add("js");
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
  const scaled = (n, text) => {
    if (n === null || n === undefined) return "–";
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let i = 0;
    for (; Math.abs(n) >= 1023.95 && i < 4; i++) n /= 1024;
    return (i ? text(n) : trim(n)) + " " + units[i];
  };
  const bytes = (n) => scaled(n, (value) => value.toFixed(1));
  const tick = (n) => scaled(n, trim);
  const count = (n) => {
    const units = ["", "k", "M", "G"];
    let i = 0;
    for (; Math.abs(n) >= 1000 && i < 3; i++) n /= 1000;
    return trim(n) + units[i];
  };
  const seconds = (s) => (s === null || s === undefined ? "–" : s >= 1 || s === 0 ? trim(s) + " s" : s >= 1e-3 ? trim(s * 1e3) + " ms" : trim(s * 1e6) + " µs");
  const packageOf = (name) => {
    const plain = name.replace(/^(\*|\[\d*\]|<-|chan(<-)? )+/, "");
    const found = /^((?:[^\s\[\](){}*.]+(?:\.[^\s\[\](){}*./]+)*\/)*[^\s\[\](){}*./]+)\./.exec(plain);
    return found ? found[1] : "";
  };
  const share = (n) => (n === null || n === undefined ? "–" : (n > 0 && n < 0.0005 ? "<0.1" : (n * 100).toFixed(1)) + "%");

  // Types by name. A node with the attribute data-type selects its type when it is clicked.
  const KNOWN = new Map();
  for (const group of D.flame.c) for (const child of group.c) KNOWN.set(child.n, child);
  let picked = "";
  const pickable = (node, name) => {
    if (name) node.dataset.type = name;
    return node;
  };

  // --- charts over time ----------------------------------------------------------------------------------

  const plots = [];
  const steps = (u, axis, low, high) => {
    const least = Math.max(1024 ** Math.floor(Math.log(Math.max(high, 1)) / Math.log(1024)) / 4, 1);
    return Array.from({ length: 50 }, (_, i) => least * 2 ** i);
  };

  const markPhases = (fill, top) => (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = ink(fill);
    for (const [begin, end] of D.marks) {
      const left = u.valToPos(begin, "x", true);
      ctx.fillRect(left, bbox.top, Math.max(u.valToPos(end, "x", true) - left, devicePixelRatio), top ? top * devicePixelRatio : bbox.height);
    }
    ctx.restore();
  };
  const axis = (values, extra) => ({
    stroke: ink("--soft"),
    grid: { stroke: ink("--grid"), width: 1 },
    ticks: { stroke: ink("--grid"), width: 1 },
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    labelSize: 18,
    labelGap: 2,
    values: (u, ticks) => ticks.map(values),
    ...extra,
  });
  const line = (label, stroke, value, extra) => ({ label, stroke, width: 1.5, points: { show: false }, value: (u, v) => value(v), ...extra });
  const draw = (id, height, x, xaxis, data, series, values, what, extra) => {
    const place = $(id);
    const { hooks, ...rest } = extra || {};
    const u = new uPlot(
      {
        width: place.clientWidth || 600,
        height,
        scales: { x: { time: false }, y: { range: (u, low, high) => [0, Math.max(high, 1e-9) * 1.06] } },
        axes: [
          axis(xaxis, { size: 30, label: xaxis === seconds ? "time since the start" : "age in GC cycles" }),
          axis(ticks.get(values) || values, { size: values === perSecond ? 84 : 68, label: what, ...(values === share ? {} : { incrs: steps }) }),
        ],
        cursor: { points: { show: false }, drag: { x: true, y: false } },
        series: [x, ...series],
        hooks: { ...(xaxis === seconds ? { drawClear: [markPhases("--gc")], draw: [markPhases("--gcline", 5)] } : {}), ...hooks },
        ...rest,
      },
      data,
      place,
    );
    plots.push([u, place]);
    return u;
  };
  const perSecond = (n) => (n === null || n === undefined ? "–" : bytes(n) + "/s");
  const ticks = new Map([[bytes, tick], [perSecond, (n) => tick(n) + "/s"], [share, (n) => trim(n * 100) + "%"]]);
  const time = () => ({ label: "time", value: (u, v) => seconds(v) });

  let live;
  const drawLive = () => {
    const n = D.names.length;
    const colour = (i) => (i === 0 && D.other ? ink("--other") : COLOURS[(n - 1 - i) % COLOURS.length]);
    const sum = new Array(D.time.length).fill(0);
    const stacked = D.series.map((values) => values.map((v, at) => (sum[at] += v)));
    const series = D.names.map((label, i) => ({ label, stroke: colour(i), fill: colour(i) + "d8", width: 1, points: { show: false } }));
    const legend = $("legend-live");
    const clock = make("span", "", "clock");
    const values = [];
    const buttons = D.names.map((name, i) => {
      const button = pickable(make("button"), i === 0 && D.other ? "" : name);
      button.type = "button";
      const swatch = make("i");
      swatch.style.background = colour(i);
      values[i] = make("b");
      button.append(swatch, make("span", name), " ", values[i]);
      button.title = name;
      return button;
    });
    const show = (at) => {
      clock.textContent = at === null ? "at the end" : "at " + seconds(D.time[at]);
      values.forEach((value, i) => (value.textContent = bytes(D.series[i][at === null ? D.time.length - 1 : at])));
    };
    live = draw("plot-live", 340, time(), seconds, [D.time, ...stacked], series, bytes, "bytes of live objects", {
      bands: D.names.slice(1).map((_, i) => ({ series: [i + 2, i + 1] })),
      focus: { alpha: 0.2 },
      legend: { show: false },
      hooks: { setCursor: [(u) => show(u.cursor.idx === undefined ? null : u.cursor.idx)] },
    });
    legend.replaceChildren(clock, ...(D.other ? [...buttons.slice(1).reverse(), buttons[0]] : buttons.reverse()));
    show(null);
  };
  const drawRate = () =>
    draw("plot-rate", 230, time(), seconds, [D.time, D.alloc_rate, D.free_rate], [
      line("allocated", COLOURS[0], perSecond, { fill: COLOURS[0] + "33" }),
      line("freed", COLOURS[1], perSecond),
    ], perSecond, "bytes per second");
  const drawHeld = () =>
    draw("plot-held", 230, time(), seconds, [D.time, D.span_bytes, D.inuse_bytes, D.stack_bytes, D.go_heap, D.go_goal], [
      line("spans", COLOURS[4], bytes, { fill: COLOURS[4] + "40" }),
      line("objects", COLOURS[0], bytes, { fill: COLOURS[0] + "50" }),
      line("stacks", COLOURS[6], bytes),
      line("Go's heap", ink("--soft"), bytes, { dash: [3, 3], width: 1 }),
      line("Go's goal", COLOURS[3], bytes, { dash: [7, 4], width: 1 }),
    ], bytes, "bytes");
  const drawAges = () => {
    const x = D.survival[0].map((_, i) => i);
    draw("plot-ages", 230, { label: "GC cycles", value: (u, v) => (v === null ? "–" : v) }, (v) => (v % 1 ? "" : String(v)), [x, ...D.survival], [
      line("bytes", COLOURS[0], share, { fill: COLOURS[0] + "33", paths: uPlot.paths.stepped({ align: 1 }) }),
      line("objects", COLOURS[1], share, { paths: uPlot.paths.stepped({ align: 1 }) }),
    ], share, "share that is still alive", { scales: { x: { time: false, range: [0, Math.max(x.length - 1, 1)] }, y: { range: [0, 1.02] } } });
  };

  // --- flame graphs: package, type, size class; allocation sites -----------------------------------------

  const inverted = (root) => {
    const top = { n: root.n, v: root.v.map(() => 0), c: [] };
    const enter = (path, values) => {
      let node = top;
      top.v = top.v.map((v, i) => v + values[i]);
      for (const name of path) {
        let next = (node.c = node.c || []).find((child) => child.n === name);
        if (!next) node.c.push((next = { n: name, v: root.v.map(() => 0) }));
        next.v = next.v.map((v, i) => v + values[i]);
        node = next;
      }
    };
    const walk = (node, path) => {
      const own = node.v.map((v, i) => v - (node.c || []).reduce((sum, child) => sum + child.v[i], 0));
      if (own.some((v) => v > 0)) enter(path, own);
      for (const child of node.c || []) walk(child, [child.n, ...path]);
    };
    walk(root, []);
    return top;
  };
  const flames = {};
  for (const [id, root] of [["flame", D.flame], ["who", D.who]]) if (root) flames[id] = { roots: [root, inverted(root)], root, focus: root, by: 0, terms: [] };
  const hue = (name) => {
    let h = 7;
    for (const c of name) h = (h * 31 + c.codePointAt(0)) >>> 0;
    return (h * 137) % 360;
  };
  const tint = (name, depth) => (depth && name ? `hsl(${hue(name)} 60% ${depth === 1 ? 76 : 83}%)` : "#ccd3dc");
  const drawFlame = (id) => {
    const flame = flames[id];
    const { root, focus, by, terms } = flame;
    const place = $("plot-" + id);
    place.replaceChildren();
    let deepest = 0;
    let found = 0;
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
    const hit = (node) => terms.length > 0 && terms.every((term) => node.n.toLowerCase().includes(term));
    const box = (node, depth, left, width, name) => {
      if (width < 0.05) return;
      deepest = Math.max(deepest, depth);
      const button = pickable(make("button", node.n), KNOWN.has(node.n) ? node.n : "");
      button.type = "button";
      button.dataset.name = node.n;
      if (picked && node.n === picked) button.classList.add("on");
      const text = bytes(node.v[by]) + ", " + share(total ? node.v[by] / total : 0);
      button.append(" ", make("small", text));
      button.title = node.n + "\n" + text;
      button.style.left = left + "%";
      button.style.width = width + "%";
      button.style.top = depth * 42 + "px";
      button.style.background = tint(name, depth);
      if (terms.length) button.classList.add(hit(node) ? "hit" : "dim");
      const pixels = (place.clientWidth * width) / 100;
      if (pixels < 26) {
        button.textContent = "";
        button.setAttribute("aria-label", node.n + " " + text);
        button.classList.add(pixels < 4 ? "hair" : "thin");
      }
      button.addEventListener("click", () => {
        flame.focus = node.c || path.includes(node) ? node : focus;
        drawFlame(id);
        const again = [...place.children].find((other) => other.dataset.name === node.n) || place.firstChild;
        if (again) again.focus({ preventScroll: true });
      });
      place.append(button);
    };
    const named = (child) => (child.n.startsWith("(") ? 1 : 0);
    const below = (node, depth, left, width, name, counted) => {
      let at = left;
      for (const child of [...(node.c || [])].sort((a, b) => named(a) - named(b) || b.v[by] - a.v[by])) {
        if (!child.v[by] || !node.v[by]) continue;
        const w = (width * child.v[by]) / node.v[by];
        const of = packageOf(child.n) || (depth === 0 && root === D.flame ? child.n : name);
        if (!counted && hit(child)) found += child.v[by];
        box(child, depth + 1, at, w, of);
        below(child, depth + 1, at, w, of, counted || hit(child));
        at += w;
      }
    };
    let name = "";
    path.forEach((node, depth) => {
      if (depth) name = packageOf(node.n) || (depth === 1 && root === D.flame ? node.n : name);
      box(node, depth, 0, 100, name);
    });
    below(focus, path.length - 1, 0, 100, name, false);
    place.style.height = (deepest + 1) * 42 + "px";
    $(id + "-found").textContent = terms.length ? `${bytes(found)}, ${share(focus.v[by] ? found / focus.v[by] : 0)} found` : "";
  };
  for (const id of Object.keys(flames)) {
    const flame = flames[id];
    $(id + "-search").addEventListener("input", (event) => {
      flame.terms = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      drawFlame(id);
    });
    $(id + "-invert").addEventListener("click", (event) => {
      flame.root = flame.focus = flame.roots[+(flame.root === flame.roots[0])];
      event.target.setAttribute("aria-pressed", String(flame.root !== flame.roots[0]));
      drawFlame(id);
    });
  }

  // --- size classes --------------------------------------------------------------------------------------

  const nice = (n, base) => {
    if (base === 2) return 2 ** Math.ceil(Math.log2(Math.max(n, 1)));
    const unit = 10 ** Math.floor(Math.log10(Math.max(n, 1)));
    return unit * [1, 2, 4, 6, 8, 10].find((k) => k * unit >= n);
  };
  let sizesBy = 0;
  const drawSizes = () => {
    const place = $("plot-sizes");
    place.replaceChildren();
    const format = sizesBy === 0 ? count : tick;
    const top = nice(Math.max(1, ...D.sizes.map((row) => row.scan[sizesBy] + row.noscan[sizesBy])), sizesBy === 0 ? 10 : 2);
    const every = Math.ceil(D.sizes.length / Math.max(place.clientWidth / 44, 4));
    const lines = make("div", undefined, "lines");
    for (const part of [1, 0.5, 0]) lines.append(make("span", format(top * part)));
    place.append(lines);
    D.sizes.forEach((row, i) => {
      const column = make("div");
      column.dataset.size = row.name;
      column.title = `${row.name}: ${format(row.scan[sizesBy])} with pointers, ${format(row.noscan[sizesBy])} without`;
      for (const [cls, n] of [["noscan", row.noscan[sizesBy]], ["scan", row.scan[sizesBy]]]) {
        const bar = make("i", undefined, cls);
        bar.style.height = (100 * n) / top + "%";
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
    const round = BigInt(2 ** Math.max(Math.ceil(Math.log2((rows * D.map.step) / 6)), 0));
    const base = BigInt(D.map.base), end = base + BigInt(rows) * BigInt(D.map.step);
    for (let address = ((base + round - 1n) / round) * round; address <= end; address += round) {
      const y = (height - BOTTOM) * (1 - Number(address - base) / Number(end - base));
      ctx.fillText("0x" + address.toString(16), left - 6, Math.min(Math.max(y, 7), height - BOTTOM - 6));
      ctx.fillRect(left - 4, Math.min(Math.round(y), height - BOTTOM - 1), 4, 1);
    }
    ctx.textBaseline = "alphabetic";
    const step = nice((D.duration * 1e9) / (width < 500 ? 3 : 8), 10) / 1e9;
    for (let t = 0; t <= D.duration; t += step) {
      const x = left + ((width - left) * t) / D.duration;
      const half = ctx.measureText(seconds(t)).width / 2;
      ctx.textAlign = "center";
      ctx.fillText(seconds(t), Math.min(Math.max(x, left + half), width - half), height - 5);
      ctx.fillRect(x, height - BOTTOM, 1, 4);
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
    for (const head of heads) {
      const button = make("button", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
    }
    for (const row of body.rows) {
      if (row.dataset.type === undefined) continue;
      const button = pickable(make("button", row.cells[0].textContent), row.dataset.type);
      button.type = "button";
      row.cells[0].replaceChildren(button);
    }
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

  // --- the selected type ---------------------------------------------------------------------------------

  const mark = () => {
    for (const node of document.querySelectorAll("[data-type]")) {
      const on = picked !== "" && node.dataset.type === picked;
      node.classList.toggle("on", on);
      if (node.tagName === "BUTTON") node.setAttribute("aria-pressed", String(on));
    }
    const sizes = new Set(((KNOWN.get(picked) || {}).c || []).map((child) => child.n.replace(/ noscan$/, "")));
    for (const column of $("plot-sizes").querySelectorAll("[data-size]")) column.classList.toggle("on", sizes.has(column.dataset.size));
    const place = D.names.indexOf(picked);
    if (live) live.setSeries(picked === "" ? null : place >= 0 ? place + 1 : D.other ? 1 : null, { focus: true });
  };
  const address = () => {
    const keys = new URLSearchParams(location.hash.slice(1));
    if (picked) keys.set("type", picked);
    else keys.delete("type");
    history.replaceState(null, "", "#" + keys.toString().replace(/=(?=&|$)/g, ""));
  };
  const pick = (name) => {
    picked = name;
    const bar = $("picked");
    bar.replaceChildren();
    bar.hidden = !name;
    if (name) {
      const close = make("button", "Clear");
      close.type = "button";
      close.addEventListener("click", () => { pick(""); address(); });
      const node = KNOWN.get(name);
      const numbers = node ? `: ${bytes(node.v[0])} live at the end, ${bytes(node.v[1])} at the peak, ${bytes(node.v[2])} allocated` : "";
      bar.append(make("b", name), numbers + (D.names.includes(name) ? "" : "; part of (other) in the chart over time"), " ", close);
    }
    mark();
    for (const row of document.querySelectorAll("tr.on")) {
      const box = row.closest(".scroll");
      const top = row.offsetTop - box.clientHeight / 2;
      if (row.offsetTop < box.scrollTop || row.offsetTop > box.scrollTop + box.clientHeight - 40) box.scrollTop = Math.max(top, 0);
    }
  };
  document.addEventListener("click", (event) => {
    const at = event.target.closest("[data-type]");
    if (!at) return;
    const zooms = event.composedPath().some((node) => node.classList && node.classList.contains("flame"));
    pick(at.dataset.type === picked && !zooms ? "" : at.dataset.type);
    address();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !picked) return;
    pick("");
    address();
  });
  const fromAddress = () => {
    const name = new URLSearchParams(location.hash.slice(1)).get("type") || "";
    if (name !== picked) pick(name);
  };
  addEventListener("hashchange", fromAddress);
  for (const link of document.querySelectorAll(".contents a"))
    link.addEventListener("click", (event) => {
      event.preventDefault(); // the address keeps the selected type
      document.getElementById(link.hash.slice(1)).scrollIntoView();
    });

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
      mark();
    }
    document.documentElement.dataset.drawn = String(plots.length);
  };
  for (const [id, set] of [["flame-by", (by) => { flames.flame.by = by; drawFlame("flame"); }], ["who-by", (by) => { flames.who.by = by; drawFlame("who"); }], ["sizes-by", (by) => { sizesBy = by; drawSizes(); }]])
    $(id).addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      for (const other of $(id).children) other.setAttribute("aria-pressed", String(other === button));
      set(+button.dataset.by);
      mark();
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
  addEventListener("beforeprint", () => {
    before = [root.classList.contains("dark"), root.classList.contains("light")];
    root.classList.add("printing");
    paint(false);
  });
  addEventListener("afterprint", () => {
    root.classList.remove("printing");
    ["dark", "light"].forEach((name, i) => root.classList.toggle(name, before[i]));
    updateSwitch();
    drawAll();
  });
  let pending = 0;
  let seen = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === seen) return;
    seen = innerWidth;
    clearTimeout(pending);
    pending = setTimeout(drawAll, 120);
  });
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (wanted.has("dark") || wanted.has("light")) paint(wanted.has("dark"));
  else { updateSwitch(); drawAll(); }
  if (D.seen) fromAddress();
})();
