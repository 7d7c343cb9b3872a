typedef float weight;

enum { AT_ONCE = 32 }; /* sums that stay in registers */

/* y += W x. W (rows, columns) lies by columns, so that its rows are summed side by side. */
static void multiply_add(const weight *RESTRICT w, const float *RESTRICT scale, int rows, int columns,
                         const float *RESTRICT x, float *RESTRICT y) {
    int first = 0, i, j;
    (void)scale;
    for (; first + AT_ONCE <= rows; first += AT_ONCE) {
        float sums[AT_ONCE];
        const weight *column = w + first;
        for (j = 0; j < AT_ONCE; ++j) sums[j] = y[first + j];
        for (i = 0; i < columns; ++i, column += rows) {
            const float value = x[i];
            for (j = 0; j < AT_ONCE; ++j) sums[j] += column[j] * value;
        }
        for (j = 0; j < AT_ONCE; ++j) y[first + j] = sums[j];
    }
    for (i = 0; first < rows && i < columns; ++i) {
        const weight *column = w + (size_t)i * (size_t)rows;
        for (j = first; j < rows; ++j) y[j] += column[j] * x[i];
    }
}
