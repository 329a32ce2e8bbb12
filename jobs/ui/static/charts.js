// Draws each figure with data-chart: its specification comes from the server, its colours from the page.
// Expressions are interpreted (ast), not compiled: so the page needs no permission to make code (unsafe-eval).
"use strict";

function theme() {
  const css = getComputedStyle(document.documentElement);
  const color = (name) => css.getPropertyValue(name).trim();
  const font = css.getPropertyValue("--body").trim();
  const axis = {
    labelColor: color("--soft"), titleColor: color("--soft"), domainColor: color("--line"), tickColor: color("--line"),
    gridColor: color("--line"), labelFont: font, titleFont: font, titleFontWeight: 500, labelFontSize: 12, titleFontSize: 12,
  };
  return {
    background: null, font, axis, view: { stroke: null },
    legend: { labelColor: color("--ink"), titleColor: color("--soft"), labelFont: font, titleFont: font },
    range: { category: [1, 2, 3, 4, 5, 6, 7, 8].map((number) => color(`--series-${number}`)) },
    bar: { color: color("--series-1") }, line: { color: color("--series-1") }, point: { color: color("--series-1") },
  };
}

async function draw(figure) {
  const plot = figure.querySelector(".plot");
  try {
    await drawInto(plot, figure);
  } catch (error) {
    if (!figure.dataset.drawn) plot.textContent = `This chart cannot be drawn: ${error.message}`;
  }
}

async function drawInto(plot, figure) {
  const form = figure.closest("section").querySelector("form.choice");
  const query = form ? "?" + new URLSearchParams(new FormData(form)) : "";
  const asked = figure.dataset.chart + query;
  figure.dataset.asked = asked;
  const answer = await fetch(asked);
  const text = await answer.text();
  if (figure.dataset.asked !== asked || figure.dataset.drawn === text) return; // another choice was made meanwhile
  if (!answer.ok) throw new Error(JSON.parse(text).error);
  const options = {
    mode: "vega-lite", ast: true, actions: false, renderer: "svg", defaultStyle: false,
    tooltip: { disableDefaultStyle: true }, config: theme(),
  };
  await window.vegaEmbed(plot, JSON.parse(text), options);
  figure.dataset.drawn = text;
}

function drawAll(again) {
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    if (again) delete figure.dataset.drawn;
    draw(figure);
  }
}

// Those that are new in the page, and all when the ledger has a further row: no chart changes without one.
function drawWhatIsNew() {
  const sequence = document.getElementById("numbers")?.dataset.sequence;
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    if (figure.dataset.drawn && sequence === shownSequence) continue;
    draw(figure);
  }
  shownSequence = sequence;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("section form.choice");
  const figure = form && form.closest("section").querySelector("figure[data-chart]");
  if (!figure) return;
  // The choice is in the address: so it stays when the page is renewed, loaded anew or sent to somebody.
  history.replaceState(history.state, "", "?" + new URLSearchParams(new FormData(form)));
  draw(figure);
});
document.addEventListener("htmx:afterSettle", drawWhatIsNew);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
let shownSequence;
drawWhatIsNew();
