// Training, step by step: what the page "learn it live" drives, and what a schedule of learning rates makes repeatable.
import type { Library } from "../engine/library";
import { Adam } from "./adam";
import { Network, type Start } from "./network";
import type { Problem } from "./problems";

export interface TrainingOptions {
  H: number;
  B: number;
  seed: number;
  learningRate: number;
  clip: number;
  start: Start;
  residual: boolean;
  /** Steps over which the length grows to its whole. */
  growth: number;
}

export interface Progress {
  step: number;
  loss: number;
  norm: number;
}

export class Training {
  readonly network: Network;
  step = 0;
  private readonly adam: Adam;

  constructor(
    readonly library: Library,
    readonly problem: Problem,
    readonly options: TrainingOptions,
  ) {
    const { H, seed, start, residual } = options;
    this.network = new Network(library, { I: problem.I, H, O: problem.O, seed, start, residual });
    this.adam = new Adam(this.network);
  }

  /** One step of the optimiser, by the learning rate of now. */
  advance(learningRate = this.options.learningRate, clip = this.options.clip): Progress {
    const { B, seed, growth } = this.options;
    const progress = growth ? Math.min(1, 0.05 + this.step / growth) : 1;
    const batch = this.problem.batch(B, seed, this.step, progress);
    const { loss } = this.network.run(batch, true);
    const norm = this.adam.step(learningRate, clip);
    this.step += 1;
    return { step: this.step, loss, norm };
  }

  /** The share of right answers on new sequences of this length. */
  accuracy(length: number, size = 200): number {
    const { batch, right } = this.problem.test(size, length, this.options.seed);
    return right(this.network.run({ ...batch, classes: undefined }).outputs);
  }

  free(): void {
    this.network.free();
  }
}
