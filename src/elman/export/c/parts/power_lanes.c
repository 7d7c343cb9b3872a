#if defined(__GNUC__)
/* power() of four numbers that are at most 88; of less than -87 as of -87. */
static lanes power_lanes(lanes x) {
    const marks low = x < -87.0f;
    marks n;
    lanes r;
    x = (lanes)((~low & (marks)x) | (low & (marks)(x - x - 87.0f)));
    n = __builtin_convertvector(x * 1.44269504f + 200.5f, marks) - 200;
    r = __builtin_convertvector(n, lanes);
    r = x - r * 0.693359375f + r * 2.12194440e-4f;
    r = 1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720))))));
    return r * (lanes)((n + 127) << 23);
}
#endif
