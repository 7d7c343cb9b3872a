/* 1 / (1 + exp(-x)), by exp(-|x|), which does not overflow. */
static void sigmoid_all(float *RESTRICT x, int count) {
    int j = 0;
#if defined(__GNUC__)
    for (; j + 4 <= count; j += 4) {
        lanes *at = (lanes *)(x + j);
        const marks negative = *at < 0.0f;
        const lanes e = power_lanes((lanes)((marks)*at | INT32_MIN)), y = 1.0f / (1.0f + e);
        *at = (lanes)((~negative & (marks)y) | (negative & (marks)(e * y)));
    }
#endif
    for (; j < count; ++j) {
        const float e = power(x[j] < 0.0f ? x[j] : -x[j]), y = 1.0f / (1.0f + e);
        x[j] = x[j] < 0.0f ? e * y : y;
    }
}
