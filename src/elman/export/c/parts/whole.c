/* All steps of both directions, layer by layer; where their states (T, SIZE) lie. read(data, t, x) gives the input x
   of step t. */
typedef void (*reader)(const void *data, int t, float *x);

static const float *run_layers(STATE *s, const cell *cells, reader read, const void *data, int T) {
    float *output = s->states[0], *below = s->states[1], *other;
    int layer, d, n, t;
    for (layer = 0; layer < LAYERS; ++layer) {
        for (d = 0; d < DIRECTIONS; ++d) {
            memset(s->h, 0, sizeof s->h);
            for (n = 0; n < T; ++n) {
                const float *x = s->x;
                t = d ? T - 1 - n : n;
                if (layer)
                    x = below + (size_t)t * SIZE;
                else
                    read(data, t, s->x);
                take_step(cells + layer * DIRECTIONS + d, x, s->h, s->work);
                memcpy(output + (size_t)t * SIZE + d * HIDDEN, s->h, HIDDEN * sizeof(float));
            }
        }
        other = output, output = below, below = other;
    }
    return below;
}
