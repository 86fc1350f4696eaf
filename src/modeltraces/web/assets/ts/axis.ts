/** The axis of response times: round steps of seconds and minutes, logarithmic where one slow run would flatten all others. */

import { duration } from "./numbers";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE,
  10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 5 * HOUR, 10 * HOUR, DAY,
];
const MAGNITUDES = [1, 10, 100, SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, HOUR, 10 * HOUR, 100 * HOUR];

/** The largest value in times of the median, above which the others would lie flat on the axis: the chart is 112 pixels high. */
const FLAT = 50;
/** Of fewer values there is no usual one. */
const FEWEST = 4;

export interface TimeAxis {
  logarithmic: boolean;
  min: number;
  max: number;
  /** The values as they are drawn: a logarithmic axis has no place for 0. */
  place: (value: number | null) => number | null;
  ticks: (most: number) => number[];
}

export function timeAxis(values: (number | null)[]): TimeAxis {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  const largest = known.at(-1) ?? 0;
  const usual = known[known.length >> 1] ?? 0;
  if (known.length < FEWEST || largest <= FLAT * usual) {
    const max = Math.max(1, largest * 1.08);
    return { logarithmic: false, min: 0, max, place: (value) => value, ticks: (most) => stepsUpTo(max, most) };
  }
  const least = known.find((value) => value >= 1) ?? 1;
  const min = MAGNITUDES.findLast((magnitude) => magnitude <= least) ?? 1;
  const max = largest * 1.3;
  return {
    logarithmic: true,
    min,
    max,
    place: (value) => (value === null ? null : Math.max(value, min)),
    ticks: (most) => magnitudesBetween(min, max, most),
  };
}

function stepsUpTo(max: number, most: number): number[] {
  const step = STEPS.find((one) => max / one <= most) ?? Math.ceil(max / most / DAY) * DAY;
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => i * step);
}

function magnitudesBetween(min: number, max: number, most: number): number[] {
  const apart = Math.log(max / min) / most;
  const found: number[] = [];
  for (const one of MAGNITUDES) {
    const last = found.at(-1);
    if (one >= min && one <= max && (last === undefined || Math.log(one / last) >= apart)) found.push(one);
  }
  return found;
}

/** As a tick says it: `10 min`, not `10:00 min`. */
export function tickLabel(ms: number): string {
  if (ms === 0) return "0";
  if (ms < MINUTE) return duration(ms);
  if (ms >= 2 * DAY && ms % DAY === 0) return duration(ms);
  if (ms % HOUR === 0) return `${ms / HOUR} h`;
  return ms % MINUTE === 0 && ms < HOUR ? `${ms / MINUTE} min` : duration(ms);
}
