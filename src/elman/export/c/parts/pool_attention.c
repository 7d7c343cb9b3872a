/* A mean weighed by attention, kept as the states come: weights are relative to the highest score so far. */
static void pool_state(pooled *p, const float *attention, float bias, const float *h) {
    float score = bias, before, now, top;
    int j;
    for (j = 0; j < SIZE; ++j) score += attention[j] * h[j];
    top = !p->count || score > p->top ? score : p->top;
    before = p->count ? power(p->top - top) : 0.0f;
    now = power(score - top);
    p->count = p->count * before + now;
    p->top = top;
    for (j = 0; j < SIZE; ++j) p->sum[j] = p->sum[j] * before + now * h[j];
}

static void read_pool(const pooled *p, float *read) {
    int j;
    for (j = 0; j < SIZE; ++j) read[j] = p->sum[j] / p->count;
}
