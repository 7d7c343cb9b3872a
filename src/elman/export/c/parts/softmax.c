static void softmax(float *x, int count) {
    float top = x[0], sum = 0.0f;
    int j;
    for (j = 1; j < count; ++j) top = x[j] > top ? x[j] : top;
    for (j = 0; j < count; ++j) sum += x[j] = power(x[j] - top);
    for (j = 0; j < count; ++j) x[j] /= sum;
}
