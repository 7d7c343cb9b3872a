/* Gates i, f, g, o as torch has them; h is followed by c. */
static void take_step(const cell *c, const float *RESTRICT x, float *RESTRICT h, float *RESTRICT a) {
    float *RESTRICT kept = h + HIDDEN;
    int j;
    for (j = 0; j < 4 * HIDDEN; ++j) a[j] = c->bias[j];
    multiply_add(c->in, c->in_scale, 4 * HIDDEN, c->inputs, x, a);
    multiply_add(c->rec, c->rec_scale, 4 * HIDDEN, HIDDEN, h, a);
    sigmoid_all(a, 2 * HIDDEN);
    tanh_all(a + 2 * HIDDEN, HIDDEN);
    sigmoid_all(a + 3 * HIDDEN, HIDDEN);
    for (j = 0; j < HIDDEN; ++j) h[j] = kept[j] = a[HIDDEN + j] * kept[j] + a[j] * a[2 * HIDDEN + j];
    tanh_all(h, HIDDEN);
    for (j = 0; j < HIDDEN; ++j) h[j] *= a[3 * HIDDEN + j];
}
