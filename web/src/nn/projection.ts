// States (N, H) on the plane of their two main directions (PCA), by power iteration; deterministic.

export function mainPlane(states: Float64Array, H: number): [number, number][] {
  const N = states.length / H;
  const mean = new Float64Array(H);
  for (let i = 0; i < states.length; i++) mean[i % H] += states[i] / N;
  const centred = states.map((value, i) => value - mean[i % H]);
  const covariance = new Float64Array(H * H);
  for (let n = 0; n < N; n++)
    for (let i = 0; i < H; i++) {
      const value = centred[n * H + i];
      for (let j = 0; j < H; j++) covariance[i * H + j] += (value * centred[n * H + j]) / N;
    }
  const axes: Float64Array[] = [];
  for (let axis = 0; axis < Math.min(2, H); axis++) {
    let v = Float64Array.from({ length: H }, (_, i) => 1 + ((i * 7 + axis * 3) % 5) / 5);
    for (let turn = 0; turn < 40; turn++) {
      const next = new Float64Array(H);
      for (let i = 0; i < H; i++) for (let j = 0; j < H; j++) next[i] += covariance[i * H + j] * v[j];
      for (const other of axes) {
        const along = next.reduce((sum, value, i) => sum + value * other[i], 0);
        for (let i = 0; i < H; i++) next[i] -= along * other[i];
      }
      const norm = Math.sqrt(next.reduce((sum, value) => sum + value * value, 0));
      if (norm < 1e-12) break;
      v = next.map((value) => value / norm);
    }
    const largest = v.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    axes.push(largest < 0 ? v.map((value) => -value) : v); // of two directions the one that does not flip about
  }
  return Array.from({ length: N }, (_, n) => {
    const at = (axis: number) => (axes[axis] ? axes[axis].reduce((sum, value, i) => sum + value * centred[n * H + i], 0) : 0);
    return [at(0), at(1)];
  });
}
