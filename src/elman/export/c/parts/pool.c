/* What is read of the states, kept as they come: memory does not grow with the sequence. */
static void pool_state(pooled *p, const float *h) {
    const int first = !p->count;
    int j;
    p->count += 1.0f;
    for (j = 0; j < SIZE; ++j) {
        p->sum[j] = first ? h[j] : p->sum[j] + h[j];
        p->largest[j] = first || h[j] > p->largest[j] ? h[j] : p->largest[j];
    }
}

static void read_pool(const pooled *p, float *read) {
    int j;
    for (j = 0; j < SIZE; ++j) {
#if READ_MEAN
        read[j] = p->sum[j] / p->count;
#elif READ_SUM
        read[j] = p->sum[j];
#endif
#if READ_MAX
        read[(READ_MEAN ? SIZE : 0) + j] = p->largest[j];
#endif
    }
}
