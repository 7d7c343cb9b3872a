/* tanh by exp: (1 - e) / (1 + e) of e = exp(-2 |x|), with the sign of x. */
static void tanh_all(float *RESTRICT x, int count) {
    int j = 0;
#if defined(__GNUC__)
    for (; j + 4 <= count; j += 4) {
        lanes *at = (lanes *)(x + j);
        const marks sign = (marks)*at & INT32_MIN;
        const lanes e = power_lanes(-2.0f * (lanes)((marks)*at ^ sign));
        *at = (lanes)((marks)((1.0f - e) / (1.0f + e)) ^ sign);
    }
#endif
    for (; j < count; ++j) {
        const float size = x[j] < 0.0f ? -x[j] : x[j], e = power(-2.0f * size), y = (1.0f - e) / (1.0f + e);
        x[j] = x[j] < 0.0f ? -y : y;
    }
}
