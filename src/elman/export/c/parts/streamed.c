/* One step of all layers, from the bottom up; the last one's state. */
static const float *step_layers(STATE *s, const cell *cells, const float *x) {
    float *h = s->h;
    int layer;
    for (layer = 0; layer < LAYERS; ++layer, h += PARTS * HIDDEN) {
        take_step(cells + layer, x, h, s->work);
        x = h;
    }
    return x;
}
