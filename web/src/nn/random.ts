// Random numbers from a seed: sfc32 (Doty-Humphrey, PractRand), seeded by SplitMix32. Integer arithmetic, additions and
// products alone, so that a seed gives the same run in every browser; hence uniform numbers where others draw normal ones.

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d = 1;

  constructor(seed: number, stream = 0) {
    let state = (seed ^ Math.imul(stream + 1, 0x9e3779b9)) | 0;
    const next = () => {
      state = (state + 0x9e3779b9) | 0;
      let z = state ^ (state >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) | 0;
    };
    [this.a, this.b, this.c] = [next(), next(), next()];
    for (let i = 0; i < 12; i++) this.integer32();
  }

  private integer32(): number {
    const sum = (((this.a + this.b) | 0) + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum | 0;
    return sum >>> 0;
  }

  /** From 0 to 1, without 1. */
  uniform(): number {
    return this.integer32() / 4294967296;
  }

  /** One of 0 ... n - 1. */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** n numbers, uniform from -limit to limit. */
  spread(n: number, limit: number): Float64Array {
    return Float64Array.from({ length: n }, () => (2 * this.uniform() - 1) * limit);
  }

  /** A random orthogonal matrix (n, n): Gram-Schmidt on the rows of a random one. */
  orthogonal(n: number): Float64Array {
    const rows = this.spread(n * n, 1);
    for (let i = 0; i < n; i++) {
      const row = rows.subarray(i * n, (i + 1) * n);
      for (let pass = 0; pass < 2; pass++)
        for (let j = 0; j < i; j++) {
          const other = rows.subarray(j * n, (j + 1) * n);
          const along = dot(row, other);
          for (let k = 0; k < n; k++) row[k] -= along * other[k];
        }
      const norm = Math.sqrt(dot(row, row));
      for (let k = 0; k < n; k++) row[k] /= norm;
    }
    return rows;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
