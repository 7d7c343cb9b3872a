// Section 1: what the recurrent network and the one with a window answer to a string of bits.
import { model } from "../engine/load";
import type { Library } from "../engine/library";
import { Network } from "../nn/network";
import { Random } from "../nn/random";
import { windowOf } from "../nn/window";

export interface ParityModel {
  network: Network;
  quality: string;
  longest: number;
}

export async function parityModel(library: Library): Promise<ParityModel> {
  const { facts, tensors } = await model<{ I: number; O: number; longest: number }>("parity");
  const { w_ih, w_hh, bias, w_out, b_out } = tensors;
  const network = new Network(library, { I: 2, H: facts.H, O: 2, seed: 0 }, { w_ih, w_hh, bias, w_out, b_out });
  return { network, quality: facts.quality, longest: facts.longest };
}

/** The probability of YES after each bit, and the states (T, H). */
export function recurrentAnswers(network: Network, bits: readonly number[]): { yes: number[]; h: Float64Array } {
  const x = new Float32Array(2 * bits.length);
  bits.forEach((bit, t) => (x[2 * t + bit] = 1));
  const { outputs, h } = network.run({ T: bits.length, B: 1, x });
  return { yes: bits.map((_, t) => probability(outputs, t)), h };
}

/** The same of the network with a window of K bits. */
export function windowAnswers(network: Network, K: number, bits: readonly number[]): number[] {
  const x = new Float32Array(2 * K * bits.length);
  bits.forEach((_, t) => x.set(windowOf(bits.slice(Math.max(0, t + 1 - K), t + 1), K), 2 * K * t));
  const { outputs } = network.run({ T: 1, B: bits.length, x });
  return bits.map((_, t) => probability(outputs, t));
}

function probability(outputs: Float64Array, row: number): number {
  return 1 / (1 + Math.exp(outputs[2 * row] - outputs[2 * row + 1]));
}

export function rightAnswers(bits: readonly number[]): boolean[] {
  let even = true;
  return bits.map((bit) => (even = bit ? !even : even));
}

/** The share of random strings of each length that both answer rightly after their last bit. */
export function accuracies(recurrent: Network, window: Network, K: number, lengths: readonly number[], count: number, seed: number) {
  return lengths.map((length) => {
    const random = new Random(seed, length);
    const [T, B] = [length, count];
    const x = new Float32Array(T * B * 2);
    const seen = new Float32Array(B * 2 * K);
    const even = new Array(B).fill(true);
    for (let b = 0; b < B; b++) {
      const bits = Array.from({ length }, () => random.below(2));
      bits.forEach((bit, t) => {
        x[(t * B + b) * 2 + bit] = 1;
        if (bit) even[b] = !even[b];
      });
      seen.set(windowOf(bits, K), b * 2 * K);
    }
    const share = (outputs: Float64Array, from: number) => even.filter((want, b) => outputs[2 * (from + b) + 1] > outputs[2 * (from + b)] === want).length / B;
    return {
      length,
      recurrent: share(recurrent.run({ T, B, x }).outputs, (T - 1) * B),
      window: share(window.run({ T: 1, B, x: seen }).outputs, 0),
    };
  });
}
