// What the page asks the server: the same interface that other programs use.

export interface Run {
  name: string;
  task: string;
  inputs: string;
  takes: "texts" | "files" | "arrays";
  streams: string | null;
  step: number;
  metrics: Record<string, number>;
  options: string[];
  settings?: Record<string, unknown>;
}

export type Event = { event: string } & Record<string, unknown>;
type Options = Record<string, unknown>;

/** The detail of a refusal, in one line. */
async function refusal(answer: Response): Promise<Error> {
  try {
    return new Error(((await answer.json()) as { detail: string }).detail);
  } catch {
    return new Error(`${answer.status} ${answer.statusText}`);
  }
}

function path(run: string, what = ""): string {
  return `/v1/runs/${encodeURIComponent(run)}${what}`;
}

export async function get<T>(address: string): Promise<T> {
  const answer = await fetch(address);
  if (!answer.ok) throw await refusal(answer);
  return (await answer.json()) as T;
}

function body(given: unknown, options: Options, key: "input" | "inputs"): RequestInit {
  if (given instanceof Array && given[0] instanceof File) {
    const form = new FormData();
    for (const file of given as File[]) form.append("files", file, file.name);
    form.append("options", JSON.stringify(options));
    return { method: "POST", body: form };
  }
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ [key]: given, options }) };
}

export async function predict<T>(run: string, inputs: unknown[], options: Options = {}): Promise<T[]> {
  const answer = await fetch(path(run, "/predict"), body(inputs, options, "inputs"));
  if (!answer.ok) throw await refusal(answer);
  return ((await answer.json()) as { predictions: T[] }).predictions;
}

export async function inspect<T>(run: string, what: string, question: Record<string, unknown>): Promise<T> {
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) };
  const answer = await fetch(path(run, `/inspect/${what}`), request);
  if (!answer.ok) throw await refusal(answer);
  return (await answer.json()) as T;
}

export function describe(run: string): Promise<Run> {
  return get(path(run));
}

export function trained(run: string): Promise<{ rows: Record<string, number>[] }> {
  return get(path(run, "/metrics"));
}

/** The events that the server sends for one input, as they come. */
export async function* stream(run: string, input: unknown, options: Options, signal: AbortSignal): AsyncGenerator<Event> {
  const answer = await fetch(path(run, "/stream"), { ...body(input, options, "input"), signal });
  if (!answer.ok || !answer.body) throw await refusal(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const blocks = held.split("\n\n");
    held = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = block.split("\n").find((line) => line.startsWith("data: "));
      if (!data) continue;
      const event = JSON.parse(data.slice(6)) as Event;
      if (event.event === "error") throw new Error(String(event.detail));
      yield event;
    }
  }
}

/** A stream whose state the server carries: send pieces, be told events. */
export function converse(run: string, first: Record<string, unknown>, told: (event: Event) => void): WebSocket {
  const address = new URL(path(run, "/stream"), location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => socket.send(JSON.stringify(first)));
  socket.addEventListener("message", ({ data }) => told(JSON.parse(String(data)) as Event));
  socket.addEventListener("close", ({ code, reason }) => {
    if (code !== 1000) told({ event: "error", detail: reason || "the connection has ended" });
  });
  return socket;
}

export function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
