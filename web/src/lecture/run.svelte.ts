// Section 7: a training run that the page watches, in slices of a frame.
import { eachFrame } from "../components/motion";
import type { Library } from "../engine/library";
import { largest, type Problem } from "../nn/problems";
import { mainPlane } from "../nn/projection";
import { Training, type TrainingOptions } from "../nn/training";

const SLICE = 14; // ms of a frame that training may take
const REDRAW = 120; // ms from one picture to the next
const CURVE = 400; // points of the loss curve at most

export interface Dot {
  at: [number, number];
  kind: number;
}

export class Run {
  step = $state(0);
  losses: [number, number][] = $state.raw([]);
  norms: [number, number][] = $state.raw([]);
  accuracies: [number, number][] = $state.raw([]);
  dots: Dot[] = $state.raw([]);
  sample = $state("");
  running = $state(false);
  seconds = $state(0);
  solved: { step: number; seconds: number } | null = $state.raw(null);
  broken = $state(false);

  private training: Training;
  private stop = () => {};
  private every = 1; // steps for each point of the curve
  private sums = [0, 0, 0];
  private shown = 0;
  private curve: [number, number][] = [];
  private sizes: [number, number][] = [];

  constructor(
    library: Library,
    readonly problem: Problem & { alphabet?: string[] },
    readonly lengths: readonly number[],
    options: TrainingOptions,
    /** The learning rate and where the gradient is clipped, at each step. */
    private readonly settings: (step: number) => { rate: number; clip: number },
    private readonly dotLength: number,
  ) {
    this.training = new Training(library, problem, options);
    this.picture();
  }

  /** Go on until `last`, or until paused. */
  start(last = Infinity): void {
    this.stop();
    if (this.step >= last) return;
    this.running = true;
    let before = performance.now();
    this.stop = eachFrame(() => {
      const began = performance.now();
      this.seconds += Math.min(0.5, (began - before) / 1000); // time in which the page lay in the background does not count
      before = began;
      while (performance.now() - began < SLICE && this.step < last && !this.broken) this.advance();
      const ended = this.step >= last || this.broken;
      if (ended || began - this.shown > REDRAW) {
        this.shown = began;
        this.picture();
      }
      if (ended) this.running = false;
      return !ended;
    });
  }

  pause(): void {
    this.stop();
    if (this.running) this.picture();
    this.running = false;
  }

  /** One step, and what is noted of it. */
  advance(): void {
    const { rate, clip } = this.settings(this.training.step);
    const { step, loss, norm } = this.training.advance(rate, clip);
    this.step = step;
    this.broken = !Number.isFinite(loss);
    this.sums = [this.sums[0] + loss, this.sums[1] + norm, this.sums[2] + 1];
    if (this.sums[2] >= this.every || this.broken) {
      this.curve.push([step, this.sums[0] / this.sums[2]]);
      this.sizes.push([step, this.sums[1] / this.sums[2]]);
      this.sums = [0, 0, 0];
    }
    if (this.curve.length > CURVE) {
      const thinned = (points: [number, number][]) => points.flatMap((one, i): [number, number][] => (i % 2 ? [[one[0], (points[i - 1][1] + one[1]) / 2]] : []));
      [this.curve, this.sizes, this.every] = [thinned(this.curve), thinned(this.sizes), 2 * this.every];
    }
    const judged = this.lengths[this.lengths.length - 1];
    if (!this.solved && step % 50 === 0 && this.accuracies.length && this.accuracies[this.accuracies.length - 1][1] > 0.9 && this.training.accuracy(judged) === 1) this.solved = { step, seconds: this.seconds };
  }

  /** Whatever is to be seen, from the weights of now. */
  private picture(): void {
    this.losses = [...this.curve];
    this.norms = [...this.sizes];
    this.accuracies = this.lengths.map((length) => [length, this.training.accuracy(length, length > 60 ? 100 : 200)]);
    const { problem, training } = this;
    const size = 150;
    const { batch } = problem.test(size, this.dotLength, 77);
    const { h } = training.network.run({ ...batch, classes: undefined });
    const H = training.options.H;
    const kinds = batch.numbers ? Array.from(batch.numbers, (sum) => Math.min(3, Math.floor(2 * sum))) : problem.name === "copying" ? firstSymbols(batch.x, size, problem.I) : Array.from(batch.classes!.slice((batch.T - 1) * size));
    const place = problem.name === "copying" ? batch.T - 6 : batch.T - 1; // copying: before the sign, when all is in memory
    this.dots = mainPlane(h.slice(place * size * H, (place + 1) * size * H), H).map((at, i) => ({ at, kind: kinds[i] }));
    if (problem.alphabet) this.sample = this.write(problem.alphabet, 60);
  }

  /** What the network writes by itself, always the most probable character. */
  private write(alphabet: string[], length: number): string {
    const V = alphabet.length;
    const written: number[] = [0];
    const { network } = this.training;
    // the whole of it once more for each character: a few thousand numbers
    while (written.length < length) {
      const x = new Float32Array(written.length * V);
      written.forEach((id, t) => (x[t * V + id] = 1));
      const { outputs } = network.run({ T: written.length, B: 1, x });
      written.push(largest(outputs, (written.length - 1) * V, V));
    }
    return written.map((id) => alphabet[id]).join("");
  }

  free(): void {
    this.stop();
    this.training.free();
  }
}

/** The first symbol that each sequence is to remember. */
function firstSymbols(x: Float32Array, B: number, I: number): number[] {
  return Array.from({ length: B }, (_, b) => largest(x, b * I, I));
}
