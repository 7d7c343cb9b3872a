typedef float weight;

#if defined(__GNUC__)
enum { AT_ONCE = 32 }; /* rows whose sums stay in registers */
#endif

/* y += W x. W (rows, columns) lies by columns, so that its rows are summed side by side. */
static void multiply_add(const weight *RESTRICT w, const float *RESTRICT scale, int rows, int columns,
                         const float *RESTRICT x, float *RESTRICT y) {
    int first = 0, i, j;
    (void)scale;
#if defined(__GNUC__)
    for (; first + AT_ONCE <= rows; first += AT_ONCE) {
        lanes *to = (lanes *)(y + first);
        lanes a = to[0], b = to[1], c = to[2], d = to[3], e = to[4], f = to[5], g = to[6], h = to[7];
        const weight *column = w + first;
        for (i = 0; i < columns; ++i, column += rows) {
            const lanes *from = (const lanes *)column;
            const float v = x[i];
            a += from[0] * v, b += from[1] * v, c += from[2] * v, d += from[3] * v;
            e += from[4] * v, f += from[5] * v, g += from[6] * v, h += from[7] * v;
        }
        to[0] = a, to[1] = b, to[2] = c, to[3] = d, to[4] = e, to[5] = f, to[6] = g, to[7] = h;
    }
#endif
    for (i = 0; first < rows && i < columns; ++i) {
        const weight *column = w + (size_t)i * (size_t)rows;
        for (j = first; j < rows; ++j) y[j] += column[j] * x[i];
    }
}
