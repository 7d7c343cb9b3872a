// Products with W_hh = M N^T of low rank: by N, then by M, so that a step costs what its rank does.
#pragma once
#include "simd/backward_epilogues.h"
#include "simd/gemm/pack.h"
#include "simd/general/shared.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T>
struct LowRank {
    Panels<T> in, out;  // (H, rank) and (rank, H); data is null where W_hh has its full rank
    T** sums;           // one a group: (n, row)
    int64_t row;
};

template <class T>
LowRank<T> take_low_rank(const Plan& plan, Scratch& scratch) {
    const elman_call& call = *plan.call;
    const int64_t rank = general_of(call).rank;
    LowRank<T> low{{nullptr, call.H, rank}, {nullptr, rank, call.H}, nullptr, 0};
    if (!rank) return low;
    low.in = take_panels<T>(scratch, call.H, rank);
    low.out = take_panels<T>(scratch, rank, call.H);
    low.row = row_length<T>(rank);
    low.sums = scratch.take<T*>(plan.groups);
    for (int g = 0; g < plan.groups; ++g) low.sums[g] = scratch.take<T>(plan.group[g].n * low.row);
    return low;
}

// This thread's share of the panels of `in` (H, rank), and of `out` (H, rank) transposed.
template <class T>
void pack_low_rank(const Plan& plan, const LowRank<T>& low, const void* in, const void* out, int thread) {
    const int64_t H = plan.call->H, rank = low.in.columns;
    for (int64_t p = thread; p < low.in.count(); p += plan.threads)
        pack_straight(static_cast<const T*>(in), H, rank, const_cast<T*>(low.in.data) + p * panel_width<T> * H, p);
    for (int64_t p = thread; p < low.out.count(); p += plan.threads)
        pack_transposed(static_cast<const T*>(out), rank, H, const_cast<T*>(low.out.data), p);
}

// Rows [first, last) of A times `in` times `out`.
template <class T, class Epilogue>
void low_rank_product(const T* a, int64_t lda, int64_t first, int64_t last, const LowRank<T>& low, T* sums,
                      const Epilogue& epilogue) {
    gemm(a, lda, first, last, low.in, 0, low.in.count(), 0, low.in.K,
         AccumulateEpilogue<T>{sums, low.row, low.in.columns, true});
    gemm(sums, low.row, first, last, low.out, 0, low.out.count(), 0, low.out.K, epilogue);
}

}  // namespace
}  // namespace elman::ELMAN_ISA
