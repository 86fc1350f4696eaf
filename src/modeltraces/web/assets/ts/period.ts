/** The custom period: what is typed is in the page's zone, the address says it in UTC. */

import { one, on } from "./dom";
import { go } from "./navigate";
import { instantOf } from "./zone";

/** Shows the runs from one instant (inclusive) to another (exclusive), both RFC 3339. */
export function showPeriod(from: string, to: string): Promise<void> {
  const address = new URL(location.href);
  const query = address.searchParams;
  query.delete("period");
  query.delete("cursor");
  query.set("from", from);
  query.set("to", to);
  return go(`/settings/monitoring/model-traces?${query.toString().replaceAll("%3A", ":").replaceAll("%2C", ",")}`);
}

export function startPeriod(): void {
  on("submit", "[data-custom-period]", (form, event) => {
    event.preventDefault();
    const value = (name: string): string | null =>
      instantOf(one<HTMLInputElement>(`[data-instant="${name}"]`, form)?.value ?? "");
    const [from, to] = [value("from"), value("to")];
    const problem = one("[data-period-error]", form);
    if (!from || !to || from >= to) {
      if (problem) {
        problem.textContent = "The period must begin before it ends.";
        problem.hidden = false;
      }
      return;
    }
    if (problem) problem.hidden = true;
    void showPeriod(from, to);
  });
}
