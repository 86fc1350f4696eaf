/** Try it: sends the prompt, and shows the answer's events as they come, one JSON object a line. */

import { csrfToken, on, one } from "./dom";

interface TryEvent {
  text?: string;
  error?: string;
  status?: number;
  body?: string;
  done?: string;
  run?: string;
  is_stored?: boolean;
}

let running: AbortController | null = null;

export function startTryIt(): void {
  on("submit", "form[data-try]", (form, event) => {
    event.preventDefault();
    if (!running) void send(form as HTMLFormElement);
  });
  on("click", "[data-try-stop]", () => running?.abort());
  on("keydown", "[data-try] textarea", (area, event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) area.closest("form")?.requestSubmit();
  });
}

async function send(form: HTMLFormElement): Promise<void> {
  running = new AbortController();
  begin(form);
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "X-CSRF-Token": csrfToken() },
      body: new FormData(form),
      signal: running.signal,
    });
    if (!answer.body || !answer.headers.get("content-type")?.includes("ndjson")) throw new Error(String(answer.status));
    await read(answer.body, show);
  } catch {
    if (running.signal.aborted) status("Stopped. What had come by then is recorded.");
    else show({ error: "The server did not answer as it should. Load the page again and retry.", status: 0, body: "" });
  } finally {
    running = null;
    busy(form, false);
  }
}

async function read(body: ReadableStream<Uint8Array>, take: (event: TryEvent) => void): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line) take(JSON.parse(line) as TryEvent);
  }
}

function begin(form: HTMLFormElement): void {
  busy(form, true);
  for (const selector of ["[data-try-error]", "[data-try-body]", "[data-try-run]"]) hide(selector, true);
  const text = one("[data-try-text]");
  if (text) text.textContent = "";
  hide("[data-try-answer]", false);
  status("Waiting for the answer…");
}

function show(event: TryEvent): void {
  if (event.text !== undefined) one("[data-try-text]")?.append(event.text);
  if (event.error !== undefined) {
    const says = one("[data-try-says]");
    // Of a status of success it is no reason.
    if (says) says.textContent = (event.status ?? 0) >= 400 ? `HTTP ${event.status}: ${event.error}` : event.error;
    hide("[data-try-error]", false);
    const body = one("[data-try-body]");
    if (body) body.textContent = event.body ?? "";
    hide("[data-try-body]", !event.body);
    if (!event.done) status("");
  }
  if (event.done !== undefined) status(event.done);
  if (event.run !== undefined) {
    one<HTMLAnchorElement>("[data-try-run] a")?.setAttribute("href", event.run);
    hide("[data-try-run]", false);
    if (!event.is_stored) status(`${one("[data-try-status]")?.textContent ?? ""} · The run is not in the store yet.`);
  }
}

function busy(form: HTMLFormElement, is: boolean): void {
  const button = one<HTMLButtonElement>("[data-try-send]", form);
  if (button) {
    button.disabled = is;
    button.textContent = is ? "Sending…" : "Send";
  }
  const stop = one("[data-try-stop]", form);
  const held = is || document.activeElement !== stop;
  if (stop) stop.hidden = !is;
  // The focus must not be lost with the button that had it.
  if (!held) button?.focus();
  one("[data-try-answer]")?.setAttribute("aria-busy", String(is));
}

function hide(selector: string, hidden: boolean): void {
  const found = one(selector);
  if (found) found.hidden = hidden;
}

function status(text: string): void {
  const place = one("[data-try-status]");
  if (place) place.textContent = text;
}
