"use strict";
// Everything shown is worded in the data already; this script only hides, shows and moves. Text enters as text, never as markup.
const data = new Map(Object.entries(JSON.parse(document.getElementById("data").textContent)));
const details = document.getElementById("details");
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
let opener = null;

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text) { element.textContent = text; element.dir = "auto"; }
  if (className) element.className = className;
  return element;
}

// --- views and sliders ---------------------------------------------------------------------------------------------
function currentView() { return document.querySelector(".canvas:not([hidden])"); }

function showView(key) {
  close();
  for (const canvas of all(".canvas")) canvas.hidden = canvas.dataset.view !== key;
  for (const sliders of all(".sliders")) sliders.hidden = sliders.dataset.for !== key;
}

function applySliders(sliders) {
  const canvas = document.querySelector('.canvas[data-view="' + sliders.dataset.for + '"]');
  const limits = ["by-nodes", "by-flows"].map((name) => {
    const input = sliders.querySelector("." + name);
    if (!input) return 0;
    input.nextElementSibling.textContent = input.value + " of " + input.max;
    return Number(input.value);
  });
  const hiddenKeys = new Set();
  for (const node of all(".node", canvas)) {
    const hide = Number(node.dataset.rank) >= limits[0];
    node.toggleAttribute("hidden", hide);
    if (hide) hiddenKeys.add(node.dataset.key);
  }
  for (const flow of all(".flow[data-key]", canvas)) {
    const loose = hiddenKeys.has(flow.dataset.from) || hiddenKeys.has(flow.dataset.to);
    flow.toggleAttribute("hidden", loose || Number(flow.dataset.rank) >= limits[1]);
  }
  const label = sliders.querySelector(".by-label");
  if (label) canvas.querySelector("svg").classList.toggle("times", label.value === "time");
  makeReachable(canvas);
}

// --- details ---------------------------------------------------------------------------------------------------------
function table(rows, linkKey) {
  const out = make("table");
  for (const row of rows) {
    const line = out.insertRow();
    row.slice(0, 3).forEach((text, i) => {
      const cell = line.insertCell();
      cell.className = i ? "n" : "";
      const key = linkKey && row[3];
      if (i === 0 && key && data.has(key)) {
        const button = make("button", text);
        button.type = "button";
        button.addEventListener("click", () => open(key));
        cell.append(button);
      } else {
        cell.textContent = text;
        cell.dir = "auto";
      }
    });
  }
  return out;
}

function open(key) {
  const entry = data.get(key);
  if (!entry) return;
  const button = make("button", "Close", "close");
  button.type = "button";
  button.addEventListener("click", close);
  details.replaceChildren(make("h2", entry.title), make("p", entry.facts.join(" · "), "facts"), button, table(entry.figures));
  for (const [name, rows] of [["Most often before", entry.before], ["Most often after", entry.after]]) {
    if (rows.length) details.append(make("h3", name), table(rows, true));
  }
  for (const example of entry.examples) {
    const list = make("ol");
    for (const [touchpoint, channel, after] of example.steps) {
      const item = make("li", touchpoint);
      item.append(make("span", [channel, after].filter(Boolean).map((part) => " · " + part).join("")));
      list.append(item);
    }
    details.append(make("h3", "Example " + example.title), list);
  }
  details.hidden = false;
  details.scrollTop = 0;
  mark(key);
  details.focus({ preventScroll: true });
}

function close() {
  if (details.hidden) return;
  details.hidden = true;
  mark(null);
  if (opener) opener.focus({ preventScroll: true });
  opener = null;
}

function mark(key) {
  for (const canvas of all(".canvas")) {
    const svg = canvas.querySelector("svg");
    const items = all("[data-key]", svg);
    const touched = items.filter((item) => item.dataset.key === key);
    svg.classList.toggle("focused", touched.length > 0);
    const ends = new Set();
    for (const item of items) {
      const joins = item.dataset.from === key || item.dataset.to === key;
      item.classList.toggle("on", item.dataset.key === key);
      item.classList.toggle("near", joins);
      if (joins || (item.dataset.key === key && item.dataset.from)) { ends.add(item.dataset.from); ends.add(item.dataset.to); }
    }
    for (const item of items) if (ends.has(item.dataset.key)) item.classList.add("near");
  }
}

// --- keyboard: one Tab stop for touchpoints, one for flows; arrows move inside -----------------------------------------
function makeReachable(canvas) {
  for (const kind of [".node", ".flow[data-key]"]) {
    const items = all(kind, canvas);
    for (const item of items) item.setAttribute("tabindex", "-1");
    const first = items.filter((item) => !item.hasAttribute("hidden"))
      .sort((a, b) => Number(a.dataset.rank || 0) - Number(b.dataset.rank || 0))[0];
    if (first) first.setAttribute("tabindex", "0");
  }
}

function moveTo(item, next) {
  if (!next) return;
  item.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

function nearest(item, dx, dy) {
  const here = item.getBoundingClientRect();
  let best = null, least = Infinity;
  for (const other of all(".node:not([hidden])", item.ownerSVGElement)) {
    const there = other.getBoundingClientRect();
    const x = there.x + there.width / 2 - here.x - here.width / 2, y = there.y + there.height / 2 - here.y - here.height / 2;
    const ahead = x * dx + y * dy, aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (other !== item && ahead > 4 && ahead + 2.5 * aside < least) { least = ahead + 2.5 * aside; best = other; }
  }
  return best;
}

const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { close(); return; }
  const item = event.target.closest ? event.target.closest("svg [data-key]") : null;
  if (!item) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    opener = item;
    open(item.dataset.key);
  } else if (ARROWS[event.key]) {
    event.preventDefault();
    const [dx, dy] = ARROWS[event.key];
    if (item.classList.contains("node")) { moveTo(item, nearest(item, dx, dy)); return; }
    const flows = all(".flow[data-key]:not([hidden])", item.ownerSVGElement).sort((a, b) => a.dataset.rank - b.dataset.rank);
    moveTo(item, flows[flows.indexOf(item) + dx + dy]);
  }
});

document.addEventListener("click", (event) => {
  const item = event.target.closest("svg [data-key]");
  if (item) { opener = item; open(item.dataset.key); return; }
  if (!event.target.closest("#details")) close();
});

// --- theme, print, links into closed tables ------------------------------------------------------------------------------
const theme = document.getElementById("theme");
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  theme.setAttribute("aria-pressed", String(name === "dark"));
  theme.textContent = name === "dark" ? "Light" : "Dark";
}
theme.addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
document.getElementById("print").addEventListener("click", () => print());

function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const holder = target && target.closest("details");
  if (holder) { holder.open = true; target.scrollIntoView({ block: "center" }); }
}
addEventListener("hashchange", openTarget);
openTarget();

const view = document.getElementById("view");
if (view) view.addEventListener("change", () => showView(view.value));
for (const sliders of all(".sliders")) {
  applySliders(sliders);
  sliders.addEventListener("input", () => applySliders(sliders));
}
for (const canvas of all(".canvas")) {
  makeReachable(canvas);
  // The names of lanes and rows stay in sight while a wide map scrolls sideways.
  const scroll = canvas.querySelector(".scroll");
  const pins = all(".pin", scroll);
  scroll.addEventListener("scroll", () => {
    scroll.querySelector("svg").classList.toggle("scrolled", scroll.scrollLeft > 0);
    for (const pin of pins) pin.setAttribute("transform", "translate(" + scroll.scrollLeft + " 0)");
  }, { passive: true });
}
document.documentElement.dataset.ready = "true";
