// Cross-entropy of rows of logits, in nats, and its gradient in the logits' place.
import { Double, type Library, type Tensor } from "./library";
import type { Real } from "./recurrence";

/** A target that does not count. */
export const IGNORE_INDEX = -100;

/** Writes losses (rows); with `scale` (rows) the logits (rows, V) become their gradient times it. */
export function crossEntropy(
  library: Library,
  logits: Tensor<Real>, // (rows, V)
  targets: Tensor<"i64">, // (rows)
  losses: Tensor<Real>, // (rows)
  scale: Tensor<Real> | null = null, // (rows)
  smoothing = 0,
): void {
  const rows = targets.length;
  const V = rows ? logits.length / rows : 1;
  library.scope(() => {
    const call = library.pack("elman_loss_call", {
      ...{ rows, V, dtype: logits.kind === "f64" ? 1 : 0, threads: 1, ignore_index: IGNORE_INDEX },
      ...{ smoothing: new Double(smoothing), logits, stride: V, targets, scale, losses, gradient: scale !== null },
    });
    library.check(library.exports.elman_cross_entropy(call.at));
  });
}
