typedef struct {
    const weight *w;
    const float *scale, *bias;
    int rows, columns;
} linear;

static void apply(const linear *layer, const float *x, float *y) {
    int j;
    for (j = 0; j < layer->rows; ++j) y[j] = layer->bias[j];
    multiply_add(layer->w, layer->scale, layer->rows, layer->columns, x, y);
}
