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
