/* exp(x): 2^n e^r with |r| at most ln(2) / 2, and e^r by its series; right to 2e-7 of itself. */
static float power(float x) {
    uint32_t bits;
    int32_t n;
    float r, scale;
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    n = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    r = x - (float)n * 0.693359375f;
    r = r + (float)n * 2.12194440e-4f;
    r = 1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720))))));
    bits = (uint32_t)(n + 127) << 23;
    memcpy(&scale, &bits, sizeof scale);
    return r * scale;
}
