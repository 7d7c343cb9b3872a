// tanh x = sign(x) e / (e + 2) with e = exp(2|x|) - 1. With 2|x| = n ln 2 + r, |r| <= ln 2 / 2, and p = exp(r) - 1
// by its Taylor series, e = 2^n p + (2^n - 1): no cancellation at small x, saturation to exactly 1 at large x.
// NaN passes: both comparisons with it are false, and r carries it.

template <class T>
struct Exp;
template <>
struct Exp<float> {
    typedef uint32_t word;
    static constexpr int mantissa = 23;
    static constexpr float largest = 9.5f, shifter = 12582912.f + 127, log2e = 1.44269504f;
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr int terms = 7;
};
template <>
struct Exp<double> {
    typedef uint64_t word;
    static constexpr int mantissa = 52;
    static constexpr double largest = 20, shifter = 6755399441055744. + 1023, log2e = 1.4426950408889634;
    static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    static constexpr int terms = 13;
};

template <class T>
ELMAN_INLINE vec<T> quotient(vec<T> a, vec<T> b) {
    return a / b;
}
#if ELMAN_BYTES == 64
// Division of 16 floats keeps a port busy for 16 cycles; an estimate and one Newton step take 3.
template <>
ELMAN_INLINE vec<float> quotient<float>(vec<float> a, vec<float> b) {
    vec<float> r = (vec<float>)_mm512_rcp14_ps((__m512)b);
    r += r * (1.f - b * r);
    return a * r;
}
#endif

template <class T>
ELMAN_INLINE vec<T> tanh_of(vec<T> x) {
    using E = Exp<T>;
    typedef typename E::word word;
    typedef word words __attribute__((vector_size(ELMAN_BYTES)));
    const words sign = (words)x & ((words){} + (word(1) << (8 * sizeof(T) - 1)));
    vec<T> a = (vec<T>)((words)x ^ sign);
    a = a > E::largest ? splat<T>(E::largest) : a;
    const vec<T> y = a + a;
    const vec<T> shifted = y * E::log2e + E::shifter;
    const vec<T> n = shifted - E::shifter;
    const vec<T> scale = (vec<T>)((words)shifted << E::mantissa);
    const vec<T> r = (y - n * E::ln2_high) - n * E::ln2_low;
    T coefficient = 1;
    T inverse[E::terms + 1];
    for (int i = 1; i <= E::terms; ++i) inverse[i] = coefficient /= i;
    vec<T> p = splat<T>(inverse[E::terms]);
    for (int i = E::terms - 1; i >= 2; --i) p = p * r + inverse[i];
    p = p * (r * r) + r;
    const vec<T> e = scale * p + (scale - T(1));
    return (vec<T>)((words)quotient<T>(e, e + T(2)) | sign);
}
