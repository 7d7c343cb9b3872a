// Sections 3 and 5: a small network over a string, unrolled: every value, and every copy's gradients, by the engine in
// float64. T steps, V characters, H hidden units; at each step the next character is to be said.
import type { Library } from "../engine/library";
import { backward, forward } from "../engine/recurrence";
import { Adam } from "../nn/adam";
import { Network, type Parameter } from "../nn/network";
import { text as textProblem } from "../nn/problems";

export const LONGEST = 12;

export interface Unrolled {
  characters: string[]; // the T characters that are read
  targets: string[]; // and what should be said after each
  alphabet: string[];
  H: number;
  weights: Record<Parameter, Float64Array>;
  h: Float64Array[]; // T states
  p: Float64Array[]; // T probabilities of the next character
  losses: number[];
}

export interface Copy {
  direct: Float64Array; // dC_t/dh_t by this step's own loss
  arriving: Float64Array; // what later copies send back
  g: Float64Array; // their sum, dC/dh_t
  delta: Float64Array; // g (1 - h^2)
  share: Float64Array; // (H, H) delta_t h_(t-1)^T
}

export interface Backward {
  copies: Copy[];
  sum: Float64Array; // (H, H) of the shares
  engine: Float64Array; // dC/dW_hh by the engine, in one call
}

/** The text that a string gives: what is read, and the string's own characters as targets. */
export function readable(given: string): string {
  const kept = [...given].slice(0, LONGEST + 1).join("");
  return kept.length >= 2 ? kept : "hello";
}

/** A network for the string after so many steps of training: the same for the same seed. */
export function trained(library: Library, given: string, H: number, seed: number, steps: number): Network {
  const problem = textProblem(given, Math.max(1, [...given].length - 1));
  const network = new Network(library, { I: problem.I, H, O: problem.O, seed, start: "orthogonal" });
  const adam = new Adam(network);
  const T = [...given].length - 1;
  const ids = [...given].map((one) => problem.alphabet.indexOf(one));
  const x = new Float32Array(T * problem.I);
  for (let t = 0; t < T; t++) x[t * problem.I + ids[t]] = 1;
  for (let step = 0; step < steps; step++) {
    network.run({ T, B: 1, x, classes: Int32Array.from(ids.slice(1)) }, true);
    adam.step(0.03, 1);
  }
  return network;
}

export function unroll(library: Library, given: string, H: number, seed: number, steps: number): Unrolled {
  const network = trained(library, given, H, seed, steps);
  const weights = network.weights();
  network.free();
  const characters = [...given];
  const alphabet = [...new Set(characters)].sort();
  const [T, V] = [characters.length - 1, alphabet.length];
  return library.scope(() => {
    const f64 = (values: number | ArrayLike<number>) => library.tensor("f64", values);
    const x = new Float64Array(T * V);
    for (let t = 0; t < T; t++) x[t * V + alphabet.indexOf(characters[t])] = 1;
    const h = f64(T * H);
    const inputs = { x: f64(x), w_ih: f64(weights.w_ih), w_hh: f64(weights.w_hh), bias: f64(weights.bias) };
    forward(library, { T, B: 1, I: V, H }, inputs, h, f64(H));
    const values = h.copy();
    const states = Array.from({ length: T }, (_, t) => values.slice(t * H, (t + 1) * H));
    const p = states.map((state) => softmax(Float64Array.from({ length: V }, (_, v) => row(weights.w_out, v, state) + weights.b_out[v])));
    const losses = p.map((one, t) => -Math.log(one[alphabet.indexOf(characters[t + 1])]));
    return { characters: characters.slice(0, -1), targets: characters.slice(1), alphabet, H, weights, h: states, p, losses };
  });
}

/** The backward pass, cut before copy `cut` (0: whole): later losses do not reach the copies before it. */
export function backwardPass(library: Library, network: Unrolled, cut: number): Backward {
  const { H, weights, h, p, alphabet, targets } = network;
  const T = h.length;
  const direct = p.map((one, t) => {
    const off = Float64Array.from(one, (value, v) => value - (alphabet[v] === targets[t] ? 1 : 0));
    return Float64Array.from({ length: H }, (_, j) => off.reduce((sum, value, v) => sum + value * weights.w_out[v * H + j], 0));
  });
  const before = (t: number) => (t ? h[t - 1] : new Float64Array(H));
  const delta: Float64Array[] = new Array(T);
  const engine = new Float64Array(H * H);
  for (const [first, last] of cut > 0 && cut < T ? [[0, cut], [cut, T]] : [[0, T]])
    library.scope(() => {
      const n = last - first;
      const f64 = (values: number | ArrayLike<number>) => library.tensor("f64", values);
      const flat = (rows: Float64Array[]) => f64(rows.slice(first, last).flatMap((one) => [...one]));
      // the drive a_t - W_hh h_(t-1) as input by way of the identity: the gradient of the input is then delta_t itself
      const eye = f64(Array.from({ length: H * H }, (_, i) => (i % (H + 1) === 0 ? 1 : 0)));
      const drive = f64(n * H);
      const inputs = { x: drive, h0: f64(before(first)), w_ih: eye, w_hh: f64(weights.w_hh) };
      const [grad_x, grad_w_hh] = [f64(n * H), f64(H * H)];
      backward(library, { T: n, B: 1, I: H, H }, inputs, flat(h), flat(direct), null, { x: grad_x, w_hh: grad_w_hh });
      const found = grad_x.copy();
      for (let t = 0; t < n; t++) delta[first + t] = found.slice(t * H, (t + 1) * H);
      grad_w_hh.copy().forEach((value, i) => (engine[i] += value));
    });
  const sum = new Float64Array(H * H);
  const copies = delta.map((d, t): Copy => {
    const severed = t + 1 >= T || (cut > 0 && t + 1 === cut);
    const arriving = Float64Array.from({ length: H }, (_, j) => (severed ? 0 : delta[t + 1].reduce((total, value, i) => total + value * weights.w_hh[i * H + j], 0)));
    const share = Float64Array.from({ length: H * H }, (_, i) => d[Math.floor(i / H)] * before(t)[i % H]);
    share.forEach((value, i) => (sum[i] += value));
    return { direct: direct[t], arriving, g: direct[t].map((value, j) => value + arriving[j]), delta: d, share };
  });
  return { copies, sum, engine };
}

export function row(weights: Float64Array, index: number, vector: Float64Array): number {
  return vector.reduce((sum, value, j) => sum + weights[index * vector.length + j] * value, 0);
}

export function softmax(logits: ArrayLike<number>): Float64Array {
  const most = Math.max(...Array.from(logits));
  const powers = Float64Array.from(logits, (value) => Math.exp(value - most));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** A character that shows. */
export function visible(character: string): string {
  return character === " " ? "␣" : character === "\n" ? "⏎" : character;
}
