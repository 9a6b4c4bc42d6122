// A job as it runs. Everything that comes from outside is set as text, never as HTML.
const WIDTH = 420, HEIGHT = 130, MARGIN = 40;
const SVG = "http://www.w3.org/2000/svg";

function made(name, text = "", attributes = {}, children = []) {
  const found = document.createElement(name);
  if (text) found.textContent = text;
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  found.append(...children);
  return found;
}

function drawn(name, attributes, text = "") {
  const found = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  if (text) found.textContent = text;
  return found;
}

const short = (value) => Number(value).toPrecision(3);

function curve({ curve: points, curve_name: name }) {
  if (points.length < 2) return null;
  const rounds = points.map((p) => p[0]), values = points.map((p) => p[1]);
  const low = Math.min(...values), high = Math.max(...values);
  const first = rounds[0], last = rounds.at(-1);
  const x = (round) => MARGIN + ((round - first) / (last - first || 1)) * (WIDTH - MARGIN - 8);
  const y = (value) => HEIGHT - 22 - ((value - low) / (high - low || 1)) * (HEIGHT - 32);
  const words = `${name} by round, from ${short(values[0])} in round ${first} to ${short(values.at(-1))} in round ${last}`;
  const svg = drawn("svg", { role: "img", "aria-label": words, width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}` });
  svg.append(
    drawn("title", {}, words),
    drawn("polyline", { points: points.map(([r, v]) => `${x(r)},${y(v)}`).join(" "), fill: "none", stroke: "currentColor", "stroke-width": 2 }),
    drawn("circle", { cx: x(last), cy: y(values.at(-1)), r: 3, fill: "currentColor" }),
    drawn("text", { x: 0, y: 14 }, short(high)),
    drawn("text", { x: 0, y: HEIGHT - 22 }, short(low)),
    drawn("text", { x: MARGIN, y: HEIGHT - 4 }, `round ${first}`),
    drawn("text", { x: WIDTH - 8, y: HEIGHT - 4, "text-anchor": "end" }, `round ${last} · ${name}`),
  );
  return svg;
}

function table(caption, heads, rows) {
  const head = made("tr", "", {}, heads.map((text) => made("th", text, { scope: "col" })));
  return made("table", "", {}, [made("caption", caption), made("thead", "", {}, [head]), made("tbody", "", {}, rows)]);
}

function trusts(list) {
  const rows = list.map(({ name, words }) => made("tr", "", {}, [made("th", name, { scope: "row" }), made("td", words)]));
  return rows.length ? table("Trusts", ["Trust", "Last step"], rows) : null;
}

function meters(list) {
  const rows = list.map(({ trust, before, after, cap, words }) => {
    const part = (value) => `${Math.min(100, Math.max(0, (100 * value) / cap || 0))}%`;
    const spent = made("span"), more = made("span");
    spent.style.width = part(before);
    more.style.left = part(before);
    more.style.width = part(after - before);
    const bar = made("span", "", { class: "flip-job__meter", "aria-hidden": "true" }, [spent, more]);
    return made("tr", "", {}, [made("th", trust, { scope: "row" }), made("td", words, {}, [bar])]);
  });
  return rows.length ? table("Privacy budget (unit: person)", ["Trust", "Spent"], rows) : null;
}

// Put what is new in a place only when it differs: a screen reader and a reader's selection are left alone.
function put(place, key, make) {
  const text = JSON.stringify(key);
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  const found = make();
  place.replaceChildren(...(Array.isArray(found) ? found : found ? [found] : []));
}

function render({ model, el }) {
  const headline = made("p", "", { class: "flip-job__headline", role: "status" });
  const cancel = made("button", "Cancel the job", { type: "button" });
  const yes = made("button", "End the job", { type: "button" }), no = made("button", "Let it run", { type: "button" });
  const question = "End this job? What Trusts have released by then stays debited.";
  const sure = made("div", "", { class: "flip-job__sure", role: "group", "aria-label": question }, [made("p", question), yes, no]);
  const bar = made("progress", "", { max: "1", "aria-label": "Rounds done" });
  const [reason, picture, who, spent, lines, note] = ["p", "div", "div", "div", "div", "p"].map((name) => made(name));
  note.setAttribute("role", "status");
  const log = made("ol", "", { tabindex: "0", "aria-label": "Log, newest first" });
  const summary = made("summary", "Log");
  const details = made("details", "", {}, [summary, log]);
  const parts = made("div", "", { class: "flip-job__parts" }, [picture, who, spent]);
  const head = made("div", "", { class: "flip-job__head" }, [headline, cancel]);
  const root = made("section", "", { class: "flip-job" }, [head, sure, bar, reason, parts, lines, note, details]);
  sure.hidden = true;

  const close = () => { sure.hidden = true; cancel.setAttribute("aria-expanded", "false"); cancel.focus(); };
  cancel.setAttribute("aria-expanded", "false");
  cancel.addEventListener("click", () => { sure.hidden = false; cancel.setAttribute("aria-expanded", "true"); no.focus(); });
  no.addEventListener("click", close);
  yes.addEventListener("click", () => { close(); cancel.disabled = true; model.send({ do: "cancel" }); });
  sure.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } });

  function update() {
    const f = model.get("fields");
    root.setAttribute("aria-label", `Job ${f.job}`);
    root.classList.toggle("flip-job--failed", f.failed);
    root.classList.toggle("flip-job--done", f.ended && !f.failed);
    put(headline, f.headline, () => [f.headline]);
    put(reason, f.reason, () => [f.reason]);
    put(note, f.note, () => [f.note]);
    bar.value = f.share;
    bar.textContent = `${Math.round(100 * f.share)} %`;
    cancel.hidden = f.ended;
    if (f.ended) sure.hidden = true;
    put(picture, f.curve, () => curve(f));
    put(who, f.trusts, () => trusts(f.trusts));
    put(spent, f.meters, () => meters(f.meters));
    put(lines, f.lines, () => f.lines.map((line) => made("p", line)));
    put(summary, f.log.length, () => [`Log (${f.log.length} steps)`]);
    put(log, f.log, () => f.log.toReversed().map(({ at, words }) => made("li", `${at} ${words}`)));
  }
  model.on("change:fields", update);
  update();
  el.append(root);
  return () => model.off("change:fields", update);
}

export default { render };
