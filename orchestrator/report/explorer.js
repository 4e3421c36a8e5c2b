// Curves to look into: any quantity against any other, methods shown and hidden, the Pareto front, one point's layers.
// Draws what `explorer.py` writes into #explorer-data with Bokeh's JavaScript. Without scripts, the picture stays.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const root = document.getElementById("explorer");
  const part = name => root.querySelector(`[data-part="${name}"]`);
  const MARKERS = {o: "circle", s: "square", D: "diamond", "^": "triangle", v: "inverted_triangle", P: "square_cross",
    X: "hex", "*": "star", "": "circle"};
  const INK = "#1f2328", MUTED = "#59636e";
  const state = {model: 0, x: data.x, y: "", shown: new Set(), front: false, bands: true,
    chosen: null};

  const column = key => data.axes.findIndex(axis => axis.key === key);
  const axis = key => data.axes[column(key)];
  const escaped = text => String(text).replace(/[&<>"']/g, sign => `&#${sign.charCodeAt(0)};`);
  const model = () => data.models[state.model];
  const format = (value, of) =>
    value.toLocaleString("en", {minimumFractionDigits: of.digits, maximumFractionDigits: of.digits});

  /** A point's mean and deviation in the unit that people read; null where it was not measured. */
  function read(point, key) {
    const of = axis(key), at = column(key);
    if (!of || point.mean[at] === null) return null;
    return {value: point.mean[at] * of.scale, deviation: (point.deviation[at] || 0) * of.scale};
  }

  function told(point, key) {
    const found = read(point, key), of = axis(key);
    if (!found) return "not measured";
    return format(found.value, of) + (found.deviation ? ` ± ${format(found.deviation, of)}` : "");
  }

  // What is drawn ----------------------------------------------------------------------------------------------------

  const sources = {};
  for (const [name, columns] of Object.entries({
    bands: ["xs", "ys", "color"], lines: ["xs", "ys", "color", "dash", "width"], chosen: ["x", "y"], front: ["x", "y"],
    points: ["x", "y", "color", "marker", "size", "tip", "curve", "number"],
  })) {
    sources[name] = new Bokeh.ColumnDataSource({data: Object.fromEntries(columns.map(each => [each, []]))});
  }
  const narrow = () => window.innerWidth < 700;
  const plot = Bokeh.Plotting.figure({
    sizing_mode: "stretch_width", height: narrow() ? 340 : 460, tools: "box_zoom,pan,reset,save",
    toolbar_location: "above", x_range: new Bokeh.Range1d({start: 0, end: 1}), y_range: new Bokeh.Range1d({start: 0, end: 1}),
    min_border_right: 16, outline_line_color: null,
  });
  plot.toolbar.logo = null;
  plot.toolbar.active_drag = narrow() ? null : "auto"; // a finger on the figure scrolls the page
  for (const each of [plot.xaxis, plot.yaxis]) {
    Object.assign(each, {axis_label_text_font_style: "normal", axis_label_text_color: INK, axis_line_color: MUTED,
      axis_label_text_font_size: "14px", major_label_text_font_size: "12px", major_label_text_color: MUTED,
      major_tick_line_color: MUTED, minor_tick_line_color: null});
  }
  const field = name => ({field: name});
  plot.patches(field("xs"), field("ys"),
    {source: sources.bands, fill_color: field("color"), fill_alpha: 0.12, line_color: null});
  plot.line(field("x"), field("y"), {source: sources.front, line_color: INK, line_alpha: 0.3, line_width: 8,
    line_join: "round", line_cap: "round"});
  plot.multi_line(field("xs"), field("ys"), {source: sources.lines, line_color: field("color"), line_dash: field("dash"),
    line_width: field("width")});
  const same = {nonselection_fill_alpha: 1, nonselection_line_alpha: 1};
  const dots = plot.scatter(field("x"), field("y"), {source: sources.points, marker: field("marker"), size: field("size"),
    fill_color: field("color"), line_color: "white", line_width: 1, ...same});
  const round = {marker: "circle", fill_color: null, line_width: 2};
  plot.scatter(field("x"), field("y"), {source: sources.front, size: 14, line_color: INK, ...round});
  plot.scatter(field("x"), field("y"), {source: sources.chosen, size: 20, line_color: "#cf222e", ...round});
  const hover = new Bokeh.HoverTool({renderers: [dots], tooltips: "@tip{safe}", point_policy: "snap_to_data", limit: 3});
  plot.add_tools(hover, new Bokeh.TapTool({renderers: [dots], mode: "replace"}));
  sources.points.selected.change.connect(() => choose(sources.points.selected.indices[0]));

  /** The visible curves with their points that have both quantities. */
  function visible() {
    return model().curves.map((curve, index) => ({curve, index})).filter(({index}) => state.shown.has(index))
      .map(({curve, index}) => ({curve, index, points: curve.points.map((point, number) => {
        const x = read(point, state.x), y = read(point, state.y);
        return x && y ? {point, number, x: x.value, y: y.value, deviation: y.deviation} : null;
      }).filter(Boolean)}));
  }

  /** The points that no other one betters in both quantities, by rising x. */
  function front(lines) {
    const sign = key => (axis(key).higher ? -1 : 1);
    const all = lines.filter(line => !line.curve.baseline).flatMap(line => line.points)
      .sort((a, b) => sign(state.x) * (a.x - b.x) || sign(state.y) * (a.y - b.y));
    let best = Infinity;
    const found = all.filter(each => {
      const cost = sign(state.y) * each.y;
      if (cost >= best) return false;
      best = cost;
      return true;
    });
    return found.sort((a, b) => a.x - b.x);
  }

  function draw() {
    const lines = visible();
    const xs = lines.flatMap(line => line.points.map(each => each.x));
    const ys = lines.flatMap(line => line.points.flatMap(each => [each.y - each.deviation, each.y + each.deviation]));
    const [left, right] = bounds(xs, state.x.endsWith("removed") || state.x === "compression");
    const [low, high] = bounds(ys, false);
    const drawn = {bands: {xs: [], ys: [], color: []}, lines: {xs: [], ys: [], color: [], dash: [], width: []}};
    const points = {x: [], y: [], color: [], marker: [], size: [], tip: [], curve: [], number: []};
    for (const {curve, index, points: mine} of lines) {
      if (!mine.length) continue;
      drawn.lines.xs.push(curve.level ? [left, right] : mine.map(each => each.x));
      drawn.lines.ys.push(curve.level ? [mine[0].y, mine[0].y] : mine.map(each => each.y));
      drawn.lines.color.push(curve.color);
      drawn.lines.dash.push(curve.dashes.map(length => length * (curve.level ? 1.4 : 2)));
      drawn.lines.width.push(curve.level ? 1.5 : 2.2);
      if (state.bands && !curve.level && mine.some(each => each.deviation)) {
        const back = [...mine].reverse();
        drawn.bands.xs.push([...mine, ...back].map(each => each.x));
        drawn.bands.ys.push([...mine.map(each => each.y + each.deviation), ...back.map(each => each.y - each.deviation)]);
        drawn.bands.color.push(curve.color);
      }
      for (const each of mine) {
        points.x.push(each.x);
        points.y.push(each.y);
        points.color.push(curve.color);
        points.marker.push(MARKERS[curve.marker]);
        points.size.push(["o", "s", ""].includes(curve.marker) ? 9 : 12);
        points.tip.push(tip(curve, each.point));
        points.curve.push(index);
        points.number.push(each.number);
      }
    }
    sources.points.selected.indices = [];
    sources.bands.data = drawn.bands;
    sources.lines.data = drawn.lines;
    sources.points.data = points;
    const best = state.front ? front(lines) : [];
    sources.front.data = {x: best.map(each => each.x), y: best.map(each => each.y)};
    ring();
    Object.assign(plot.x_range, {start: left, end: right});
    Object.assign(plot.y_range, {start: low, end: high});
    plot.xaxis.axis_label = axis(state.x).label;
    plot.yaxis.axis_label = axis(state.y).label;
  }

  function bounds(values, fromZero) {
    if (!values.length) return [0, 1];
    const least = fromZero ? Math.min(0, ...values) : Math.min(...values);
    const most = Math.max(...values), room = (most - least || Math.abs(most) || 1) * 0.05;
    return [fromZero && least === 0 ? 0 : least - room, most + room];
  }

  // One point --------------------------------------------------------------------------------------------------------

  const heading = (curve, point) => (curve.level ? curve.name : `${curve.name} at ${point.asked} %`);

  function tip(curve, point) {
    const keys = [...new Set([state.y, state.x, model().y, "compression", "params", "macs"])];
    const rows = keys.filter(key => axis(key) && read(point, key)).map(key => {
      return `<tr><td style="color:${MUTED}">${escaped(axis(key).label)}</td><td style="text-align:right;padding-left:1em">
        ${told(point, key)}</td></tr>`;
    });
    return `<div style="font:13px system-ui,sans-serif;color:${INK}"><b>${escaped(heading(curve, point))}</b>
      <table>${rows.join("")}</table><span style="color:${MUTED}">seeds: ${point.seeds}; click for its layers</span></div>`;
  }

  /** Draws a ring around the chosen point, where it is shown. */
  function ring() {
    const of = sources.points.data, wanted = state.chosen;
    const at = [...of.x.keys()].filter(i => wanted && of.curve[i] === wanted.curve && of.number[i] === wanted.number);
    sources.chosen.data = {x: at.map(i => of.x[i]), y: at.map(i => of.y[i])};
  }

  function choose(index) {
    if (index === undefined) return;
    const of = sources.points.data;
    const curve = model().curves[of.curve[index]], point = curve.points[of.number[index]];
    state.chosen = {curve: of.curve[index], number: of.number[index]};
    ring();
    const rows = data.axes.filter(each => read(point, each.key)).map(each =>
      `<tr><td>${escaped(each.label)}</td><td class="number">${told(point, each.key)}</td></tr>`);
    const layers = Object.entries(point.kept).map(([of, kept]) => `<h3>${of === "channels" ? "Channels" : "Weights"} kept</h3>
      <table class="layers">${kept.map(layer).join("")}</table>`);
    part("point").innerHTML = `<h2>${escaped(heading(curve, point))}</h2>
      <p class="facts">Mean over the seeds (${point.seeds}). ${escaped(point.note)}</p>
      <div class="columns"><div class="scroll"><table>${rows.join("")}</table></div>
      <div class="scroll">${layers.join("") || "<p>Nothing was removed of this network.</p>"}</div></div>`;
    part("point").hidden = false;
  }

  function layer([name, left, full]) {
    const share = (100 * left / full).toFixed(1);
    const number = count => count.toLocaleString("en", {maximumFractionDigits: 1});
    return `<tr><td>${escaped(name)}</td><td><div class="bar"><div style="width:${share}%"></div></div></td>
      <td class="number">${number(left)} of ${number(full)}</td></tr>`;
  }

  // Controls ---------------------------------------------------------------------------------------------------------

  function options(select, groups, chosen) {
    select.innerHTML = groups.filter(([, items]) => items.length).map(([name, items]) =>
      `<optgroup label="${name}">${items.map(([value, label]) =>
        `<option value="${escaped(value)}">${escaped(label)}</option>`).join("")}</optgroup>`).join("");
    select.value = chosen;
  }

  /** The quantities that some point of the model has. */
  function offered(isCost) {
    const points = model().curves.flatMap(curve => curve.points);
    return data.axes.filter(each => each.is_cost === isCost && points.some(point => read(point, each.key)))
      .map(each => [each.key, each.label]);
  }

  function swatch(curve) {
    const dashes = curve.dashes.map(length => length * 2).join(" ");
    const shape = {s: "M13 3h8v8h-8z", D: "M17 2l5 5l-5 5l-5-5z", "^": "M17 2l5 9h-10z", v: "M17 12l5-9h-10z",
      P: "M13 3h8v8h-8z", X: "M14.5 3h5l2.5 4l-2.5 4h-5l-2.5-4z", "*": "M17 1l2 4l4 .5l-3 3l1 4l-4-2l-4 2l1-4l-3-3l4-.5z",
      o: "M17 3a4 4 0 1 0 .01 0z", "": ""}[curve.marker];
    return `<svg width="34" height="14" aria-hidden="true"><path d="M1 7H33" stroke="${curve.color}" stroke-width="2.4"
      stroke-dasharray="${dashes}"/><path d="${shape}" fill="${curve.color}" stroke="#fff"/></svg>`;
  }

  /** The curves, levels first, then by their mean place among all that were measured at a compression. */
  function ranked() {
    const key = model().y, sign = axis(key).higher ? -1 : 1, at = new Map();
    const order = model().curves.map((curve, index) => ({curve, index, places: []}));
    for (const each of order.filter(({curve}) => !curve.level)) {
      for (const point of each.curve.points.filter(point => read(point, key))) {
        at.set(point.asked, [...(at.get(point.asked) || []), {each, cost: sign * read(point, key).value}]);
      }
    }
    for (const here of at.values()) {
      here.sort((a, b) => a.cost - b.cost).forEach(({each}, place) => each.places.push(place / here.length));
    }
    const mean = ({places}) => places.reduce((sum, place) => sum + place, 0) / (places.length || 1);
    return order.sort((a, b) => b.curve.level - a.curve.level || mean(a) - mean(b));
  }

  function begin() {
    const order = ranked();
    const lines = order.filter(each => !each.curve.level).slice(0, data.most);
    state.shown = new Set([...order.filter(each => each.curve.level), ...lines].map(each => each.index));
    state.y = model().y;
    const costs = offered(true), qualities = offered(false);
    if (!costs.some(([key]) => key === state.x)) state.x = data.x;
    options(part("x"), [["cost", costs], ["quality", qualities]], state.x);
    options(part("y"), [["quality", qualities], ["cost", costs]], state.y);
    part("legend").innerHTML = order.map(({curve, index}) => `<label><input type="checkbox" value="${index}"
      ${state.shown.has(index) ? "checked" : ""}>${swatch(curve)}<span>${escaped(curve.name)}</span></label>`).join("");
    part("point").hidden = true;
    state.chosen = null;
    draw();
  }

  function show(all) {
    state.shown = new Set(all ? model().curves.keys() : []);
    for (const box of part("legend").querySelectorAll("input")) box.checked = all;
    draw();
  }

  options(part("model"), [["models", data.models.map((each, index) => [index, each.name])]], 0);
  part("model").closest("label").hidden = data.models.length < 2;
  part("model").addEventListener("change", event => { state.model = Number(event.target.value); begin(); });
  part("x").addEventListener("change", event => { state.x = event.target.value; draw(); });
  part("y").addEventListener("change", event => { state.y = event.target.value; draw(); });
  part("front").addEventListener("change", event => { state.front = event.target.checked; draw(); });
  part("bands").addEventListener("change", event => { state.bands = event.target.checked; draw(); });
  part("all").addEventListener("click", () => show(true));
  part("none").addEventListener("click", () => show(false));
  part("legend").addEventListener("change", event => {
    const index = Number(event.target.value);
    if (event.target.checked) state.shown.add(index); else state.shown.delete(index);
    draw();
  });
  root.hidden = false;
  begin();
  Bokeh.Plotting.show(plot, part("plot"));
  if (data.models.length < 2) document.getElementById("picture").open = false;
})();
