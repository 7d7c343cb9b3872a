// What a network can learn in the page, made on the spot: the problems of elman.data.synthetic, and a text of the reader's.
// T steps, B sequences. A batch follows from (seed, step) alone.
import { IGNORE_INDEX } from "../engine/cross_entropy";
import type { Batch } from "./network";
import { Random } from "./random";

export interface Problem {
  name: string;
  I: number;
  O: number;
  /** The loss of an answer that pays the input no attention. */
  chance: number;
  /** A batch to learn from; `progress` from 0 to 1 lets the length grow. */
  batch(size: number, seed: number, step: number, progress: number): Batch;
  /** A batch to judge by, of this length, and what share of `outputs` is right. */
  test(size: number, length: number, seed: number): { batch: Batch; right(outputs: ArrayLike<number>): number };
}

const TESTS = 1 << 20; // streams of test batches begin here

/** Is the number of ones even? Asked after every bit. */
export function parity(longest: number): Problem {
  const make = (random: Random, T: number, B: number, shortest: number): Batch => {
    const lengths = Array.from({ length: B }, () => shortest + random.below(T - shortest + 1));
    const x = new Float32Array(T * B * 2);
    const classes = new Int32Array(T * B).fill(IGNORE_INDEX);
    for (let b = 0; b < B; b++)
      for (let t = 0, even = 1; t < lengths[b]; t++) {
        const bit = random.below(2);
        even ^= bit;
        x[(t * B + b) * 2 + bit] = 1;
        classes[t * B + b] = even;
      }
    return { T, B, x, lengths, classes };
  };
  return {
    name: "parity",
    I: 2,
    O: 2,
    chance: 0.6931,
    batch: (size, seed, step, progress) => make(new Random(seed, step + 1), Math.max(2, Math.round(longest * progress)), size, 1),
    test: (size, length, seed) => {
      const batch = make(new Random(seed, TESTS + length), length, size, length);
      const right = (outputs: ArrayLike<number>) => {
        let count = 0;
        for (let row = (length - 1) * size; row < length * size; row++)
          count += (outputs[2 * row + 1] > outputs[2 * row] ? 1 : 0) === batch.classes![row] ? 1 : 0;
        return count / size;
      };
      return { batch, right };
    },
  };
}

/** The sum of the two marked numbers (Hochreiter and Schmidhuber 1997); an answer within 0.04 counts as right. */
export function adding(length: number): Problem {
  const make = (random: Random, T: number, B: number): Batch => {
    const x = new Float32Array(T * B * 2);
    const numbers = new Float32Array(B);
    const half = Math.floor(T / 2);
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < T; t++) x[(t * B + b) * 2] = random.uniform();
      for (const t of [random.below(half), half + random.below(T - half)]) {
        x[(t * B + b) * 2 + 1] = 1;
        numbers[b] += x[(t * B + b) * 2];
      }
    }
    return { T, B, x, numbers };
  };
  return {
    name: "adding",
    I: 2,
    O: 1,
    chance: 1 / 6,
    batch: (size, seed, step, progress) => make(new Random(seed, step + 1), Math.max(4, Math.round(length * progress)), size),
    test: (size, length, seed) => {
      const batch = make(new Random(seed, TESTS + length), length, size);
      const right = (outputs: ArrayLike<number>) => {
        let count = 0;
        for (let b = 0; b < size; b++) count += Math.abs(outputs[b] - batch.numbers![b]) < 0.04 ? 1 : 0;
        return count / size;
      };
      return { batch, right };
    },
  };
}

const REMEMBERED = 5;
const SYMBOLS = 4;
const BLANK = SYMBOLS;
const RECALL = SYMBOLS + 1;

/** Five of four symbols, a silence, a sign: write the five down (after Arjovsky, Shah and Bengio 2016, shortened). */
export function copying(silence: number): Problem {
  const O = SYMBOLS + 2;
  const make = (random: Random, delay: number, B: number): Batch => {
    const T = delay + 2 * REMEMBERED;
    const x = new Float32Array(T * B * O);
    const classes = new Int32Array(T * B).fill(BLANK);
    for (let b = 0; b < B; b++) {
      for (let t = 0; t < REMEMBERED; t++) {
        const symbol = random.below(SYMBOLS);
        x[(t * B + b) * O + symbol] = 1;
        classes[(T - REMEMBERED + t) * B + b] = symbol;
      }
      x[((T - REMEMBERED - 1) * B + b) * O + RECALL] = 1; // in silence nothing comes in
    }
    return { T, B, x, classes };
  };
  return {
    name: "copying",
    I: O,
    O,
    chance: (REMEMBERED * 1.3863) / (silence + 2 * REMEMBERED),
    batch: (size, seed, step, progress) => make(new Random(seed, step + 1), Math.max(1, Math.round(silence * progress)), size),
    test: (size, length, seed) => {
      const batch = make(new Random(seed, TESTS + length), length, size);
      const right = (outputs: ArrayLike<number>) => {
        let count = 0;
        for (let row = (batch.T - REMEMBERED) * size; row < batch.T * size; row++)
          count += largest(outputs, row * O, O) === batch.classes![row] ? 1 : 0;
        return count / (REMEMBERED * size);
      };
      return { batch, right };
    },
  };
}

/** Which next character? A text of the reader's, in pieces of T characters. */
export function text(content: string, T: number): Problem & { alphabet: string[] } {
  const characters = [...content];
  const alphabet = [...new Set(characters)].sort();
  const ids = characters.map((one) => alphabet.indexOf(one));
  const O = alphabet.length;
  const make = (random: Random, steps: number, B: number): Batch => {
    const x = new Float32Array(steps * B * O);
    const classes = new Int32Array(steps * B);
    for (let b = 0; b < B; b++) {
      const start = random.below(ids.length); // the text goes round
      for (let t = 0; t < steps; t++) {
        x[(t * B + b) * O + ids[(start + t) % ids.length]] = 1;
        classes[t * B + b] = ids[(start + t + 1) % ids.length];
      }
    }
    return { T: steps, B, x, classes };
  };
  return {
    name: "text",
    alphabet,
    I: O,
    O,
    chance: Math.log(Math.max(2, O)),
    batch: (size, seed, step) => make(new Random(seed, step + 1), T, size),
    test: (size, length, seed) => {
      const batch = make(new Random(seed, TESTS + length), length, size);
      const right = (outputs: ArrayLike<number>) => {
        let count = 0;
        for (let row = 0; row < length * size; row++) count += largest(outputs, row * O, O) === batch.classes![row] ? 1 : 0;
        return count / (length * size);
      };
      return { batch, right };
    },
  };
}

/** The place of the largest of `count` numbers from `start` on. */
export function largest(numbers: ArrayLike<number>, start = 0, count = numbers.length): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (numbers[start + i] > numbers[start + best]) best = i;
  return best;
}
