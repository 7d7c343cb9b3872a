// A feed-forward network that sees the last K bits alone: one hidden layer, trained on every string of up to K bits.
import type { Library } from "../engine/library";
import { Adam } from "./adam";
import { Network, type Batch } from "./network";

const STEPS = 1200;

/** The last K bits of a string, two inputs for each; both are 0 where there is no bit. */
export function windowOf(bits: readonly number[], K: number): Float32Array {
  const x = new Float32Array(2 * K);
  bits.slice(-K).forEach((bit, i, seen) => (x[2 * (K - seen.length + i) + bit] = 1));
  return x;
}

/** Its network: a recurrence of one step, which is a layer of a feed-forward network. */
export function trainWindow(library: Library, K: number, seed = 1): Network {
  const strings: number[][] = [];
  for (let length = 1; length <= K; length++) for (let n = 0; n < 2 ** length; n++) strings.push(Array.from({ length }, (_, i) => (n >> i) & 1));
  const batch: Batch = { T: 1, B: strings.length, x: new Float32Array(strings.length * 2 * K), classes: new Int32Array(strings.length) };
  strings.forEach((bits, b) => {
    batch.x.set(windowOf(bits, K), b * 2 * K);
    batch.classes![b] = 1 - (bits.reduce((sum, bit) => sum + bit, 0) % 2);
  });
  const network = new Network(library, { I: 2 * K, H: 8 * K, O: 2, seed });
  const adam = new Adam(network);
  for (let step = 0; step < STEPS; step++) if ((network.run(batch, true), adam.step(0.02 * (1 - step / STEPS)), step % 50 === 49) && network.run(batch).loss < 0.002) break;
  return network;
}
