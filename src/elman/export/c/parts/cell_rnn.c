/* h_t = f(W_ih x_t + W_hh h_(t-1) + b), and with the residual form h_(t-1) more. */
static void take_step(const cell *c, const float *RESTRICT x, float *RESTRICT h, float *RESTRICT a) {
    int j;
    for (j = 0; j < HIDDEN; ++j) a[j] = c->bias[j];
    multiply_add(c->in, c->in_scale, HIDDEN, c->inputs, x, a);
    multiply_add(c->rec, c->rec_scale, HIDDEN, HIDDEN, h, a);
#if RELU
    for (j = 0; j < HIDDEN; ++j) a[j] = a[j] > 0.0f ? a[j] : 0.0f;
#else
    tanh_all(a, HIDDEN);
#endif
    for (j = 0; j < HIDDEN; ++j) h[j] = RESIDUAL ? h[j] + a[j] : a[j];
}
