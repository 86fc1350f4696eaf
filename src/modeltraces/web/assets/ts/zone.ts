/** Instants in the page's time zone, without a library: offsets come from the browser's own tables. */

export function pageZone(): string {
  return document.body.dataset["zone"] || "UTC";
}

/** Offset of the zone at an instant, ms. */
function offset(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).formatToParts(at);
  const part = (type: string): number => Number(parts.find((one) => one.type === type)?.value);
  const local = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  return local - Math.floor(at / 1000) * 1000;
}

/** The instant that a `datetime-local` value means in the zone, as RFC 3339 in UTC; null when it means none. */
export function instantOf(local: string, zone = pageZone()): string | null {
  const wall = Date.parse(`${local}Z`);
  if (Number.isNaN(wall)) return null;
  // Twice, for the hours around a change of the clocks.
  let at = wall - offset(wall, zone);
  at = wall - offset(at, zone);
  return new Date(at).toISOString().replace(".000Z", "Z");
}

export function formatter(options: Intl.DateTimeFormatOptions): (seconds: number) => string {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: pageZone(), hourCycle: "h23", ...options });
  return (seconds) => format.format(seconds * 1000);
}

const HOUR = 3600;
const DAY = 24 * HOUR;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR];
const DAYS = [1, 2, 3, 5, 7, 14, 28, 61, 91, 182, 365, 730];

/**
 * Round instants (seconds) between two, at most so many, in the page's zone: days begin at its midnights, also across a
 * change of the clocks.
 */
export function ticks(from: number, to: number, most: number): number[] {
  const zone = pageZone();
  const length = to - from;
  const fits = (step: number): boolean => length / step <= most;
  const short = STEPS.find(fits);
  const found: number[] = [];
  if (short !== undefined) {
    // Whole steps of the local clock; within a day they are whole in UTC but for the zone's offset.
    const shift = offset(from * 1000, zone) / 1000;
    for (let at = Math.ceil((from + shift) / short) * short - shift; at < to; at += short) found.push(at);
    return found;
  }
  const days = DAYS.find((count) => fits(count * DAY)) ?? 1825;
  const first = Math.ceil((from + offset(from * 1000, zone) / 1000) / DAY) * DAY;
  for (let wall = first; ; wall += days * DAY) {
    const guess = wall - offset(wall * 1000, zone) / 1000;
    const at = wall - offset(guess * 1000, zone) / 1000;
    if (at >= to) return found;
    found.push(at);
  }
}
