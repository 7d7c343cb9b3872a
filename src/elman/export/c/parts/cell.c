/* One direction of one layer: the share of the input, that of the state, and their biases. */
typedef struct {
    const weight *in, *rec;
    const float *in_scale, *rec_scale, *bias, *rec_bias;
    int inputs;
} cell;
