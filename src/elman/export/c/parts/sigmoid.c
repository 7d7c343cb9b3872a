static void sigmoid_all(float *RESTRICT x, int count) {
    int j;
    for (j = 0; j < count; ++j) x[j] = 1.0f / (1.0f + power(-x[j]));
}
