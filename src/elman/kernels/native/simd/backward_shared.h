// What the threads of a backward pass share.
#pragma once
#include "runtime/plan.h"
#include "simd/gemm/panels.h"
#include "simd/rows.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T, class W = T>
struct BackwardShared {
    using A = factor_of<T, W>;
    Panels<T, W> w_ih, w_hh;
    struct GroupBuffers {
        A* delta[2];            // (chunk rows, H), of this chunk and of the one before it
        W *x, *h;               // panels of the rows of x and of mask * h_(t-1)
        T* sums;                // parts of long sums
        T* carry;               // (n, H) dh_(t+1), with the identity connection
        T *w_ih, *w_hh, *bias;  // this group's sums: the gradients themselves where there is one group
    };
    GroupBuffers* groups;
    const T*** row_pointers;
    const T* zeros;  // (row), with resets
    A* copy;         // of blocks of delta; one a thread
    W* own_panel;    // one a thread, where each panel of W_ih is used only once; w_ih.data is then null
    int64_t own_panel_size, row, x_row, chunk_rows;
};

// A member's part of a chunk's rows, which become a factor's K: none has one half of what is summed together.
template <class W>
ELMAN_INLINE Share share_of_rows(int64_t rows, int64_t member, int64_t members) {
    const Share sums = share(padded_k<W>(rows) / together<W>, member, members);
    const int64_t last = sums.last * together<W>;
    return {sums.first * together<W>, last < rows ? last : rows};
}

template <class T>
const T* h_before(const elman_call& call, const Group& group, int64_t r, int64_t s) {
    const int64_t b = group.sequence[r];
    if (s == 0) return static_cast<const T*>(call.h0) + b * call.H;
    return static_cast<const T*>(call.h) + time_of(group, r, s - 1, call.reverse) * call.h_stride[0] +
           b * call.h_stride[1];
}

}  // namespace
}  // namespace elman::ELMAN_ISA
