// A question that is asked anew when it changes, a moment after the last change; what was found stays until then.
import { inspect, said } from "../api";

export function asking<T>(run: () => string, what: string, question: () => Record<string, unknown>) {
  const state = $state<{ found: T | null; wrong: string; busy: boolean }>({ found: null, wrong: "", busy: false });
  let number = 0;
  $effect(() => {
    const [name, given] = [run(), question()];
    if (!String(given.input).trim()) return;
    const timer = setTimeout(async () => {
      const mine = ++number;
      state.busy = true;
      try {
        const found = await inspect<T>(name, what, given);
        if (mine === number) [state.found, state.wrong] = [found, ""];
      } catch (error) {
        if (mine === number) state.wrong = said(error);
      }
      if (mine === number) state.busy = false;
    }, 250);
    return () => clearTimeout(timer);
  });
  return state;
}
