static void tanh_all(float *RESTRICT x, int count) {
    int j;
    for (j = 0; j < count; ++j) {
        const float e = power(2.0f * (x[j] > 9.0f ? 9.0f : x[j] < -9.0f ? -9.0f : x[j]));
        x[j] = (e - 1.0f) / (e + 1.0f);
    }
}
