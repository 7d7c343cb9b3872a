static void relu_all(float *x, int count) {
    int j;
    for (j = 0; j < count; ++j) x[j] = x[j] > 0.0f ? x[j] : 0.0f;
}
