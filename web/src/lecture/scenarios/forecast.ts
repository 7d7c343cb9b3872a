// A series and how a network continues it: paths of its own, each going on from what it said, with the errors that it made.
import { Decoder } from "../../engine/decoder";
import type { Library } from "../../engine/library";
import { Network } from "../../nn/network";
import { Random } from "../../nn/random";

const PATHS = 100;

export interface Continuation {
  middle: number[];
  low: number[]; // a tenth of the paths is below
  high: number[]; // a tenth is above
  error: number; // root mean square, one step ahead, in the series' own unit
  naive: number; // of the last number again
  h: Float64Array[]; // states over the series, then along the path without noise
}

/** A made-up series: the kinds that the network was trained on. */
export function madeUp(seed: number, length = 96): number[] {
  const draw = new Random(seed, 9);
  const period = Math.exp(Math.log(6) + draw.uniform() * Math.log(40 / 6));
  const [phase, size, second, trend, noise] = [draw.uniform(), 5 + 20 * draw.uniform(), 0.6 * draw.uniform(), (draw.uniform() - 0.5) * 0.03, 0.15 * draw.uniform()];
  return Array.from({ length }, (_, t) => {
    const around = draw.uniform() + draw.uniform() + draw.uniform() - 1.5;
    const turn = (harmonic: number) => Math.sin(2 * Math.PI * harmonic * (t / period + phase));
    return Math.round((50 + size * (turn(1) + second * turn(2) + trend * t + 2 * noise * around)) * 100) / 100;
  });
}

/** The numbers of a text, whatever stands between them. */
export function numbersOf(text: string): number[] {
  return (text.match(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi) ?? []).map(Number).filter((one) => Math.abs(one) < 1e15).slice(0, 400);
}

export function continuation(library: Library, H: number, weights: Record<string, Float32Array>, series: readonly number[], ahead: number, seed: number): Continuation {
  const T = series.length;
  const mean = series.reduce((sum, one) => sum + one, 0) / T;
  const scale = Math.sqrt(series.reduce((sum, one) => sum + (one - mean) ** 2, 0) / T) || 1;
  const z = series.map((one) => (one - mean) / scale);
  const { w_ih, w_hh, bias, w_out, b_out } = weights;
  const network = new Network(library, { I: 1, H, O: 1, seed: 0 }, { w_ih, w_hh, bias, w_out, b_out });
  const { outputs, h } = network.run({ T, B: 1, x: Float32Array.from(z) });
  network.free();
  const errors = z.slice(1).map((one, t) => one - (z[t] + outputs[t])).slice(Math.min(8, Math.floor(T / 3)));
  const rms = (values: number[]) => Math.sqrt(values.reduce((sum, one) => sum + one * one, 0) / Math.max(1, values.length));
  const decoder = new Decoder(library, { H, I: 1, layers: [{ w_ih, w_hh, bias }] }, PATHS);
  for (let s = 0; s < PATHS; s++) decoder.state.data.set(h.subarray((T - 1) * H, T * H), s * H);
  const draw = new Random(seed, 4);
  const off = (s: number) => (s && errors.length ? errors[draw.below(errors.length)] : 0); // path 0 is without noise
  let now = Array.from({ length: PATHS }, (_, s) => z[T - 1] + outputs[T - 1] + off(s));
  const steps: number[][] = [];
  const along: Float64Array[] = [];
  for (let k = 0; k < ahead; k++) {
    steps.push(now);
    decoder.step(now);
    const states = decoder.state.data;
    along.push(new Float64Array(states.subarray(0, H)));
    now = now.map((value, s) => {
      let change = b_out[0];
      for (let j = 0; j < H; j++) change += w_out[j] * states[s * H + j];
      return value + change + off(s);
    });
  }
  decoder.free();
  const unscaled = (value: number) => mean + scale * value;
  const at = (share: number) => steps.map((one) => unscaled([...one.slice(1)].sort((a, b) => a - b)[Math.floor(share * (PATHS - 2))]));
  return {
    middle: steps.map((one) => unscaled(one[0])),
    low: at(0.1),
    high: at(0.9),
    error: scale * rms(errors),
    naive: scale * rms(z.slice(1).map((one, t) => one - z[t]).slice(Math.min(8, Math.floor(T / 3)))),
    h: [...Array.from({ length: T }, (_, t) => h.slice(t * H, (t + 1) * H)), ...along],
  };
}
