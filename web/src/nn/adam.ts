// Adam (Kingma and Ba 2015, algorithm 1), with the gradient's norm cut where asked (Pascanu et al. 2013).
import { PARAMETERS, type Network, type Parameter } from "./network";

const BETA_1 = 0.9;
const BETA_2 = 0.999;
const EPSILON = 1e-8;

export class Adam {
  private readonly moments: Record<Parameter, [mean: Float64Array, square: Float64Array]>;
  private decay_1 = 1; // BETA_1 to the power of the step; by products, which every browser rounds alike
  private decay_2 = 1;

  constructor(private readonly network: Network) {
    const of = (name: Parameter) => new Float64Array(network.parameters[name].length);
    this.moments = Object.fromEntries(PARAMETERS.map((name) => [name, [of(name), of(name)]])) as typeof this.moments;
  }

  /** One step; returns the gradient's norm before it was cut. `clip` of 0 leaves it. */
  step(learningRate: number, clip = 0): number {
    const { parameters, gradients } = this.network;
    let squares = 0;
    for (const name of PARAMETERS) for (const g of gradients[name].data) squares += g * g;
    const norm = Math.sqrt(squares);
    const scale = clip > 0 && norm > clip ? clip / norm : 1;
    this.decay_1 *= BETA_1;
    this.decay_2 *= BETA_2;
    const rate = (learningRate * Math.sqrt(1 - this.decay_2)) / (1 - this.decay_1);
    for (const name of PARAMETERS) {
      const weights = parameters[name].data;
      const grads = gradients[name].data;
      const [mean, square] = this.moments[name];
      for (let i = 0; i < weights.length; i++) {
        const g = grads[i] * scale;
        mean[i] = BETA_1 * mean[i] + (1 - BETA_1) * g;
        square[i] = BETA_2 * square[i] + (1 - BETA_2) * g * g;
        weights[i] -= (rate * mean[i]) / (Math.sqrt(square[i]) + EPSILON);
      }
    }
    return norm;
  }
}
