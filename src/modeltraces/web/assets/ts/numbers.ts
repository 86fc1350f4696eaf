/** Numbers as the server writes them (see formatting.py). */

const UNKNOWN = "—";
const DAY_SECONDS = 86_400;
const MOST_DAYS = 9_999;

export function count(value: number): string {
  return Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
}

export function duration(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  if (ms < 9.95) return `${+ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.995) return `${+seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${+seconds.toFixed(1)} s`;
  if (seconds >= 2 * DAY_SECONDS - 0.5) return `${days(seconds / DAY_SECONDS)} d`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${String(whole % 60).padStart(2, "0")} min`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`;
}

function days(number: number): string {
  if (number >= MOST_DAYS + 0.5) return `>${count(MOST_DAYS)}`;
  return number < 99.95 ? `${+number.toFixed(1)}` : count(number);
}
