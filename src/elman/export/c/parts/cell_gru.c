/* Gates r, z, n as torch has them: the state's share of n has a bias of its own. */
static void take_step(const cell *c, const float *RESTRICT x, float *RESTRICT h, float *RESTRICT a) {
    float *RESTRICT past = a + 3 * HIDDEN;
    int j;
    for (j = 0; j < 3 * HIDDEN; ++j) a[j] = c->bias[j];
    for (j = 0; j < 3 * HIDDEN; ++j) past[j] = c->rec_bias[j];
    multiply_add(c->in, c->in_scale, 3 * HIDDEN, c->inputs, x, a);
    multiply_add(c->rec, c->rec_scale, 3 * HIDDEN, HIDDEN, h, past);
    for (j = 0; j < 2 * HIDDEN; ++j) a[j] += past[j];
    sigmoid_all(a, 2 * HIDDEN);
    for (j = 0; j < HIDDEN; ++j) a[2 * HIDDEN + j] += a[j] * past[2 * HIDDEN + j];
    tanh_all(a + 2 * HIDDEN, HIDDEN);
    for (j = 0; j < HIDDEN; ++j) h[j] = a[2 * HIDDEN + j] + a[HIDDEN + j] * (h[j] - a[2 * HIDDEN + j]);
}
