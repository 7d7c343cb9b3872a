/* h_t = f(LN(W_ih x_t + W_hh h_(t-1))), Ba, Kiros and Hinton (2016), equation 4; rec_bias is the gain. */
static void take_step(const cell *c, const float *RESTRICT x, float *RESTRICT h, float *RESTRICT a) {
    float mean = 0.0f, square = 0.0f;
    int j;
    for (j = 0; j < HIDDEN; ++j) a[j] = 0.0f;
    multiply_add(c->in, c->in_scale, HIDDEN, c->inputs, x, a);
    multiply_add(c->rec, c->rec_scale, HIDDEN, HIDDEN, h, a);
    for (j = 0; j < HIDDEN; ++j) mean += a[j] / HIDDEN;
    for (j = 0; j < HIDDEN; ++j) square += (a[j] - mean) * (a[j] - mean) / HIDDEN;
    square = 1.0f / sqrtf(square + 1e-5f);
    for (j = 0; j < HIDDEN; ++j) a[j] = (a[j] - mean) * square * c->rec_bias[j] + c->bias[j];
#if RELU
    for (j = 0; j < HIDDEN; ++j) a[j] = a[j] > 0.0f ? a[j] : 0.0f;
#else
    tanh_all(a, HIDDEN);
#endif
    for (j = 0; j < HIDDEN; ++j) h[j] = RESIDUAL ? h[j] + a[j] : a[j];
}
