/* Row `token` of a table (V, size). */
static void embed(const weight *table, const float *scale, int size, int token, float *x) {
    const float by = SCALED ? scale[token] : 1.0f;
    int j;
    for (j = 0; j < size; ++j) x[j] = by * (float)table[(size_t)token * (size_t)size + (size_t)j];
}
