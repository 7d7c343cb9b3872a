// The page's address carries its state: #/SECTION?name=value&..., only what differs from the beginning. Whoever opens the
// address sees the same.

type Parameter = number | string | boolean;
type Defaults = Record<string, Parameter>;
export type Range = readonly [least: number, most: number, whole?: 1];

export function section(): string {
  return location.hash.match(/^#\/([a-z]*)/)?.[1] ?? "";
}

function query(): URLSearchParams {
  return new URLSearchParams(location.hash.split("?")[1] ?? "");
}

function read<D extends Defaults>(defaults: D): D {
  const given = query();
  const entries = Object.entries(defaults).map(([name, fallback]): [string, Parameter] => {
    const text = given.get(name);
    if (text === null) return [name, fallback];
    if (typeof fallback === "boolean") return [name, text === "1"];
    if (typeof fallback === "string") return [name, text.slice(0, 2000)];
    const number = Number(text);
    return [name, text.trim() !== "" && Number.isFinite(number) ? number : fallback];
  });
  return Object.fromEntries(entries) as D;
}

/**
 * The state of a section, read from the address and written to it. Call it where a component begins.
 * `ranges` holds numbers within [least, most], and makes them whole where a third number is 1, whatever the address says.
 */
export function addressed<D extends Defaults>(name: string, defaults: D, ranges: Partial<Record<keyof D, Range>> = {}): D {
  const within = (values: D): D => {
    for (const [key, [least, most, whole]] of Object.entries(ranges) as [keyof D, Range][]) {
      const value = Math.min(most, Math.max(least, values[key] as number));
      values[key] = (whole ? Math.round(value) : value) as D[keyof D];
    }
    return values;
  };
  const state: D = $state(within(read(defaults)));
  let written = "";
  let timer = 0;
  $effect(() => {
    const given = new URLSearchParams();
    for (const [key, fallback] of Object.entries(defaults)) {
      const value = state[key];
      if (value !== fallback) given.set(key, typeof value === "boolean" ? (value ? "1" : "0") : typeof value === "number" ? String(Number(value.toPrecision(8))) : String(value));
    }
    const text = given.toString();
    const address = `#/${name}${text ? `?${text}` : ""}`;
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (section() !== name || location.hash === address) return;
      written = address;
      history.replaceState(null, "", address);
    }, 150);
  });
  $effect(() => {
    const changed = () => {
      if (section() === name && location.hash !== written) Object.assign(state, within(read(defaults)));
    };
    window.addEventListener("hashchange", changed);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("hashchange", changed);
    };
  });
  return state;
}
