static void scale_all(float *x, int count, float by) {
    int j;
    for (j = 0; j < count; ++j) x[j] *= by;
}
