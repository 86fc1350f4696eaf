/**
 * The chart: requests by outcome as bars, P90 and, where there is room, P99 as lines; or, comparing, a line for each group. Dragging over it narrows
 * the period, a click on a bar narrows it to that bar's.
 */

import uPlot from "uplot";
import { type TimeAxis, tickLabel, timeAxis } from "./axis";
import { all, element, one } from "./dom";
import { count, duration } from "./numbers";
import { showPeriod } from "./period";
import { formatter, pageZone, ticks } from "./zone";

interface Data {
  step: number;
  at: number[];
  ok: number[];
  failed: number[];
  p90?: (number | null)[];
  p99?: (number | null)[];
  /** Comparing: what the lines are of, and the groups' values. */
  measure?: "p90" | "p99" | "requests";
  lines?: (number | null)[][];
}

/** A press that moves less is a click. */
const DRAG_PIXELS = 4;
/** With fewer for each step, two lines over the bars are a tangle: P90 stands alone. */
const LEAST_PIXELS = 3;
/** What the axes of both sides take. */
const AXES_PIXELS = 100;

let plot: uPlot | null = null;
let data: Data | null = null;
let drawn = "";
let crowded = false;
let logarithmic = false;

/** What a custom property comes to: `light-dark()` is resolved only in a property that is a colour. */
function colour(name: string): string {
  const probe = element("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function draw(): void {
  const place = one("[data-chart]");
  const text = one("#chart-data")?.textContent;
  if (!place || !text) {
    plot?.destroy();
    plot = null;
    drawn = "";
    return;
  }
  if (plot && drawn === text && place.contains(plot.root)) {
    showHead();
    return;
  }
  drawn = text;
  data = JSON.parse(text) as Data;
  plot?.destroy();
  place.replaceChildren();
  crowded = isCrowded(place, data);
  const times = timeAxis(data.measure === "requests" ? [] : (data.lines?.flat() ?? [...(data.p90 ?? []), ...(crowded ? [] : (data.p99 ?? []))]));
  logarithmic = times.logarithmic;
  plot = new uPlot(options(place, data, times), series(data, times), place);
  showHead();
  readOut(plot);
}

function isCrowded(place: HTMLElement, from: Data): boolean {
  return !from.lines && place.clientWidth - AXES_PIXELS < from.at.length * LEAST_PIXELS;
}

/** The head comes anew from the server also when the chart below it stays. */
function showHead(): void {
  const scale = one("[data-chart-logarithmic]");
  if (scale) scale.hidden = !logarithmic;
  const key = one("[data-chart-99]");
  if (key) key.hidden = crowded;
}

function redraw(): void {
  drawn = "";
  draw();
}

function series(from: Data, times: TimeAxis): uPlot.AlignedData {
  const total = from.ok.map((value, i) => value + (from.failed[i] ?? 0));
  const placed = (line: (number | null)[]): (number | null)[] => line.map(times.place);
  if (from.lines) return [from.at, total, ...(from.measure === "requests" ? from.lines : from.lines.map(placed))];
  return [from.at, total, from.failed, placed(from.p99 ?? []), placed(from.p90 ?? [])];
}

function options(place: HTMLElement, from: Data, times: TimeAxis): uPlot.Options {
  const family = getComputedStyle(document.body).fontFamily;
  const axis = { stroke: colour("--text-3"), font: `11px ${family}` };
  const grid = { stroke: colour("--chart-grid"), width: 1 };
  const none = { show: false };
  const bars = uPlot.paths.bars;
  const linear = uPlot.paths.linear;
  if (!bars || !linear) throw new Error("uPlot was built without paths");
  const barPaths = bars({ size: [0.72, 24], align: 1, radius: 0.12 });
  const right = from.at.length > 0 ? (from.at.at(-1) ?? 0) + from.step : 1;
  return {
    width: place.clientWidth,
    height: place.clientHeight,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), pageZone()),
    legend: none,
    padding: [8, 0, 0, 0],
    cursor: { drag: { x: true, y: false, setScale: false }, points: none, y: false },
    scales: {
      x: { time: true, range: () => [from.at[0] ?? 0, right] },
      y: { range: (_, __, max) => [0, Math.max(1, max * 1.08)] },
      ms: { range: () => [times.min, times.max], ...(times.logarithmic ? { distr: 3 as const, log: 10 as const } : {}) },
    },
    axes: [
      { ...axis, grid: none, ticks: none, size: 24, gap: 6, space: 72, splits: (self) => ticks(from.at[0] ?? 0, right, self.bbox.width / devicePixelRatio / 76), values: timeLabels(from) },
      { ...axis, grid, ticks: none, size: 46, gap: 6, space: 26, values: (_, values) => values.map((v) => (v % 1 ? "" : short(v))) },
      { ...axis, show: from.measure !== "requests", scale: "ms", side: 1, grid: none, ticks: none, size: widthOf(family), gap: 6, space: 26, splits: (self) => times.ticks(self.bbox.height / devicePixelRatio / 26), filter: (_, splits) => splits, values: (_, values) => values.map(tickLabel) },
    ],
    series: [
      {},
      { scale: "y", show: from.measure !== "requests", fill: colour("--chart-bar"), width: 0, paths: barPaths, points: none },
      ...(from.lines ? compared(from, linear()) : [
      { scale: "y", fill: colour("--chart-bad"), width: 0, paths: barPaths, points: none },
      { scale: "ms", show: !crowded, stroke: colour("--chart-99"), width: 1.25, paths: linear(), points: lonely(), spanGaps: false },
      { scale: "ms", stroke: colour("--chart-90"), width: crowded ? 1.5 : 2, paths: linear(), points: lonely(), spanGaps: false },
      ]),
    ],
    hooks: { setSelect: [narrow] },
  };
}

/** As wide as the longest label, and no narrower than most charts need: a filter that is typed must not move the bars. */
function widthOf(family: string): uPlot.Axis.Size {
  return (self, values) => {
    self.ctx.save();
    self.ctx.font = `${11 * devicePixelRatio}px ${family}`;
    const widest = Math.max(0, ...(values ?? []).map((value) => self.ctx.measureText(value).width / devicePixelRatio));
    self.ctx.restore();
    return Math.max(54, Math.ceil(widest) + 8);
  };
}

/** A line for each group: told apart by colour, and the second three by dashes as well. */
function compared(from: Data, paths: uPlot.Series.PathBuilder): uPlot.Series[] {
  return (from.lines ?? []).map((_, i) => ({
    scale: from.measure === "requests" ? "y" : "ms",
    stroke: colour(`--line-${i + 1}`),
    width: 1.75,
    ...(i < 3 ? {} : { dash: [6, 4] }),
    paths,
    points: lonely(),
    spanGaps: false,
  }));
}

/** A point between two gaps has no line to stand on. */
function lonely(): uPlot.Series.Points {
  return {
    size: 4,
    filter: (self, index, show) => {
      if (show) return null;
      const values = self.data[index];
      if (!values) return null;
      const alone: number[] = [];
      values.forEach((value, i) => {
        if (value != null && values[i - 1] == null && values[i + 1] == null) alone.push(i);
      });
      return alone;
    },
  };
}

/** Days as dates, hours as clock times, to the second where they are seconds apart; a day's first clock time says the date. */
function timeLabels(from: Data): uPlot.Axis.DynamicValues {
  const date = formatter({ day: "numeric", month: "short" });
  const minutes = formatter({ hour: "2-digit", minute: "2-digit" });
  const seconds = formatter({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return (_, splits) => {
    const clock = splits.every((at) => at % 60 === 0) ? minutes : seconds;
    let last = "";
    return splits.map((at) => {
      const [onDay, atClock] = [date(at), clock(at)];
      const isNew = onDay !== last;
      last = onDay;
      if (/^00:00(:00)?$/.test(atClock) || from.step >= 86400) return onDay;
      return isNew && splits.length < 3 ? `${onDay}, ${atClock}` : atClock;
    });
  };
}

function short(value: number): string {
  if (value >= 1e6) return `${+(value / 1e6).toFixed(1)}M`;
  if (value >= 1e4) return `${+(value / 1e3).toFixed(1)}k`;
  return count(value);
}

function narrow(self: uPlot): void {
  if (!data || self.select.width < DRAG_PIXELS) return;
  // Whole steps: a link that says 10:00 to 12:00 is read, and each of its bars is the one that was seen.
  const edges = [...data.at, (data.at.at(-1) ?? 0) + data.step];
  const first = closest(edges, self.posToVal(self.select.left, "x"));
  const last = closest(edges, self.posToVal(self.select.left + self.select.width, "x"));
  const from = edges[Math.min(first, edges.length - 2)];
  const to = edges[Math.max(last, first + 1)] ?? edges.at(-1);
  self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  if (from !== undefined && to !== undefined) void showPeriod(iso(from), iso(to));
}

function closest(edges: number[], at: number): number {
  const i = nearest(edges, at, 0);
  const [here, next] = [edges[i] ?? 0, edges[i + 1] ?? Infinity];
  return next - at < at - here ? i + 1 : i;
}

const iso = (seconds: number): string => new Date(Math.round(seconds) * 1000).toISOString().replace(".000Z", "Z");

/** The bucket under the pointer, or -1. */
function bucketAt(self: uPlot, x: number): number {
  if (!data || data.at.length === 0) return -1;
  const at = self.posToVal(x, "x");
  return nearest(data.at, at, Math.floor((at - (data.at[0] ?? 0)) / data.step));
}

/** The figures of the bar under the pointer, in the chart's head: a box over the bars would hide the next ones. */
function readOut(self: uPlot): void {
  const when = formatter({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const whenShort = formatter({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const over = self.over;
  let pressedAt = 0;
  const show = (on: boolean): void => {
    const tip = one("[data-chart-tip]");
    const title = one(".chart-title");
    if (tip) tip.hidden = !on;
    if (title) title.hidden = on;
    if (!on) for (const value of all("[data-line-value]")) value.textContent = "";
  };
  over.addEventListener("mouseleave", () => show(false));
  over.addEventListener("mousemove", (event) => {
    const i = bucketAt(self, event.offsetX);
    const tip = one("[data-chart-tip]");
    if (!data || i < 0 || !tip) return;
    const part = (name: string, value: string): HTMLElement =>
      element("span", {}, `${name} `, element("em", { textContent: value }));
    const start = data.at[i] ?? 0;
    tip.replaceChildren(
      element("b", { textContent: data.step < 60 ? when(start) : whenShort(start) }),
      part("Requests", count((data.ok[i] ?? 0) + (data.failed[i] ?? 0))),
      part("Failed", count(data.failed[i] ?? 0)),
      ...(data.lines ? [] : [part("P90", duration(data.p90?.[i] ?? null)), part("P99", duration(data.p99?.[i] ?? null))]),
    );
    const inWords = (value: number | null): string => (data?.measure === "requests" ? count(value ?? 0) : duration(value));
    all("[data-line-value]").forEach((value, line) => (value.textContent = inWords(data?.lines?.[line]?.[i] ?? null)));
    show(true);
  });
  over.addEventListener("mousedown", (event) => (pressedAt = event.clientX));
  over.addEventListener("click", (event) => {
    const i = bucketAt(self, event.offsetX);
    // The end of a drag is a click, too; and of a single bar there is nothing to narrow.
    if (!data || i < 0 || data.at.length < 2 || Math.abs(event.clientX - pressedAt) >= DRAG_PIXELS) return;
    const start = data.at[i] ?? 0;
    show(false);
    void showPeriod(iso(start), iso(data.at[i + 1] ?? start + data.step));
  });
}

/** The bucket that an instant lies in; buckets of days are not all of one length. */
function nearest(starts: number[], at: number, guess: number): number {
  let i = Math.max(0, Math.min(starts.length - 1, guess));
  while (i > 0 && (starts[i] ?? 0) > at) i--;
  while (i < starts.length - 1 && (starts[i + 1] ?? Infinity) <= at) i++;
  return i;
}

export function startChart(): void {
  draw();
  document.addEventListener("swapped", draw);
  document.addEventListener("theme-changed", redraw);
  let waiting = 0;
  new ResizeObserver(() => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      const place = one("[data-chart]");
      if (!plot || !data || !place || place.clientWidth === plot.width) return;
      if (isCrowded(place, data) === crowded) plot.setSize({ width: place.clientWidth, height: place.clientHeight });
      else redraw();
    });
  }).observe(document.body);
}
