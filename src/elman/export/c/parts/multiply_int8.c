typedef signed char weight;

enum { AT_ONCE = 32 }; /* sums that stay in registers */

/* y += W x. W (rows, columns) lies by columns; row j of it is scale[j] times its whole numbers. */
static void multiply_add(const weight *RESTRICT w, const float *RESTRICT scale, int rows, int columns,
                         const float *RESTRICT x, float *RESTRICT y) {
    int first, i, j;
    for (first = 0; first < rows; first += AT_ONCE) {
        float sums[AT_ONCE] = {0};
        const weight *column = w + first;
        const int some = rows - first < AT_ONCE ? rows - first : AT_ONCE;
        if (some == AT_ONCE) {
            for (i = 0; i < columns; ++i, column += rows) {
                const float value = x[i];
                for (j = 0; j < AT_ONCE; ++j) sums[j] += (float)column[j] * value;
            }
        } else {
            for (i = 0; i < columns; ++i, column += rows)
                for (j = 0; j < some; ++j) sums[j] += (float)column[j] * x[i];
        }
        for (j = 0; j < some; ++j) y[first + j] += scale[first + j] * sums[j];
    }
}
