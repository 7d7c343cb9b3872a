#if defined(__GNUC__)
/* Four numbers side by side, wherever they lie: compilers make one instruction of each operation, at every level. */
typedef float lanes __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t marks __attribute__((vector_size(16)));
#endif
