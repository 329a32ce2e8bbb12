// Draws each figure with data-chart: its specification comes from the server, its colours from the page.
// Expressions are interpreted (ast), not compiled: so the page needs no permission to make code (unsafe-eval).
"use strict";

const EVERY_CHART_MS = 30000;

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
  const answer = await fetch(figure.dataset.chart + query);
  const text = await answer.text();
  if (!answer.ok) throw new Error(JSON.parse(text).error);
  if (figure.dataset.drawn === text) return;
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
    if (!document.hidden) draw(figure);
  }
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("section form.choice");
  const figure = form && form.closest("section").querySelector("figure[data-chart]");
  if (figure) draw(figure);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
setInterval(() => drawAll(false), EVERY_CHART_MS);
drawAll(false);
