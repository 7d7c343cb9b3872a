// Single steps of a stack of layers. A layer reads its inputs and its own state side by side, one row a sequence, so that
// a step of a layer is one product.

template <class W>
Panels<float, W> stack_panels(const void* data, long K, long columns) {
    return {static_cast<const W*>(data), K, columns};
}

inline long inputs_of(const elman_stack_spec& spec, long layer) { return layer ? spec.H : spec.table ? 0 : spec.I; }

template <class W>
int64_t pack_stack(elman_stack& stack, char* room) {
    const elman_stack_spec& spec = stack.spec;
    int64_t used = 0;
    auto take = [&](int64_t n) {
        char* p = room ? room + used : nullptr;
        used += (n + 63) / 64 * 64;
        return p;
    };
    auto pack = [&](const float* w, long K, long columns, W* to, long total, long offset) {
        // one weight's rows of K within panels that are `total` rows long
        const Panels<float, W> panels{to, total, columns};
        for (long p = 0; p < panels.count(); ++p) {
            const long c0 = p * panel_width<float>;
            const long width = sizeof(W) == 4 && panels.narrow(p) ? lanes<float> : panel_width<float>;
            pack_transposed(w + c0 * K, K, columns - c0, to + c0 * total + offset * width, 0);
        }
    };
    stack.weights = reinterpret_cast<void**>(take(spec.layers * sizeof(void*)));
    stack.bias = reinterpret_cast<const float**>(take(spec.layers * sizeof(float*)));
    for (long l = 0; l < spec.layers; ++l) {
        const long inputs = inputs_of(spec, l), K = inputs + spec.H;
        W* const to = reinterpret_cast<W*>(take(K * row_length<float>(spec.H) * sizeof(W)));
        float* const bias = reinterpret_cast<float*>(take(row_length<float>(spec.H) * sizeof(float)));
        if (!room) continue;
        if (inputs) pack(spec.w_ih[l], inputs, spec.H, to, K, 0);
        pack(spec.w_hh[l], spec.H, spec.H, to, K, inputs);
        stack.weights[l] = to;
        stack.bias[l] = nullptr;
        if (spec.bias && spec.bias[l] && inputs) {
            __builtin_memset(bias, 0, row_length<float>(spec.H) * sizeof(float));
            __builtin_memcpy(bias, spec.bias[l], spec.H * sizeof(float));
            stack.bias[l] = bias;
        }
    }
    W* const output = reinterpret_cast<W*>(take(spec.H * row_length<float>(spec.V) * sizeof(W)));
    if (room && spec.V && spec.w_out) pack(spec.w_out, spec.H, spec.V, output, spec.H, 0);
    stack.output = output;
    return used;
}

struct EmitLayer {
    const float* const* drive;  // a row of the table for each sequence, or null: the bias
    const float* bias;
    float *own, *above;  // where the new state goes: this layer's rows for the next step, the next layer's for this
    long own_row, above_row, H;
    const float* before;  // the old state, with the identity connection
    long before_row;
    float* out;  // (S, H)
    bool relu;
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<float> (&acc)[M][NV]) const {
        for (int v = 0; v < NV; ++v) {
            const long c = column + v * lanes<float>, n = H - c;
            for (int m = 0; m < M; ++m) {
                const long r = row + m;
                vec<float> a = acc[m][v];
                if (drive) a += load_n(drive[r] + c, n);
                if (bias) a += load_n(bias + c, n);
                vec<float> f = relu ? (a < 0.f ? vec<float>{} : a) : tanh_of<float>(a);
                if (before) f += load_n(before + r * before_row + c, n);
                store_n(own + r * own_row + c, f, n);
                if (above) store_n(above + r * above_row + c, f, n);
                store_n(out + r * H + c, f, n);
            }
        }
    }
};

struct EmitLogits {
    float* logits;
    long row_length;
    const float* bias;
    long V;
    template <int M, int NV>
    ELMAN_INLINE void operator()(long row, long column, vec<float> (&acc)[M][NV]) const {
        for (int v = 0; v < NV; ++v) {
            const long c = column + v * lanes<float>;
            const vec<float> b = bias ? load_n(bias + c, V - c) : vec<float>{};
            for (int m = 0; m < M; ++m) store(logits + (row + m) * row_length + c, acc[m][v] + b);
        }
    }
};

// Layer l reads rows[2 l + parity], and writes its new state for the next step into rows[2 l + 1 - parity].
template <class W>
void stack_layer(const StackRun& run, long l, long parity, Share panels, const float* const* drive) {
    const elman_stack_spec& spec = run.stack->spec;
    const long inputs = inputs_of(spec, l), K = inputs + spec.H;
    const long above = l + 1 < spec.layers ? 2 * spec.H : 0;
    const float* rows = run.rows[2 * l + parity];
    const EmitLayer emit{drive,
                         run.stack->bias[l],
                         run.rows[2 * l + 1 - parity] + inputs,
                         above ? run.rows[2 * l + 2 + parity] : nullptr,
                         K,
                         above,
                         spec.H,
                         spec.residual ? rows + inputs : nullptr,
                         K,
                         run.state + l * run.S * spec.H,
                         spec.nonlinearity == ELMAN_RELU};
    gemm(rows, K, 0, run.S, stack_panels<W>(run.stack->weights[l], K, spec.H), panels.first, panels.last, 0, K, emit, parity);
}

template <class W>
void stack_thread(void* job, int thread) {
    StackRun& run = *static_cast<StackRun*>(job);
    const elman_stack_spec& spec = run.stack->spec;
    const auto output = stack_panels<W>(run.stack->output, spec.H, spec.V);
    const Share units = share((spec.H + panel_width<float> - 1) / panel_width<float>, thread, run.threads);
    const Share words = share(output.count(), thread, run.threads);
    const long V_row = row_length<float>(spec.V);
    const float** drive = run.first ? const_cast<const float**>(run.rows + 2 * spec.layers + thread * run.S) : nullptr;
    for (long step = 0; step < run.length; ++step) {
        const int64_t* before = step ? run.tokens + (step - 1) * run.S : run.first;
        for (long s = 0; drive && s < run.S; ++s) drive[s] = spec.table + before[s] * spec.H;
        for (long l = 0; l < spec.layers; ++l) {
            stack_layer<W>(run, l, step % 2, units, l ? nullptr : drive);
            run.barrier.wait();
        }
        if (!run.first) continue;
        const float* top = run.state + (spec.layers - 1) * run.S * spec.H;
        gemm(top, spec.H, 0, run.S, output, words.first, words.last, 0, spec.H,
             EmitLogits{run.logits, V_row, spec.b_out, spec.V});
        run.barrier.wait();
        if (thread == 0)
            choose_tokens(run.logits, run.S, spec.V, V_row, *run.choice, step, run.order, run.tokens + step * run.S);
        run.barrier.wait();
    }
}

template <class W>
bool run_stack(StackRun& run) {
    const elman_stack_spec& spec = run.stack->spec;
    Scratch& scratch = this_threads_scratch();
    scratch.reset();
    run.rows = scratch.take<float*>(2 * spec.layers + run.threads * run.S);
    for (long l = 0; l < spec.layers; ++l) {
        const long inputs = inputs_of(spec, l), K = inputs + spec.H;
        for (long parity = 0; parity < 2; ++parity) run.rows[2 * l + parity] = scratch.take<float>(run.S * K);
        for (long s = 0; s < run.S; ++s) {
            float* row = run.rows[2 * l] + s * K;
            if (!l && inputs) __builtin_memcpy(row, run.x + s * inputs, inputs * sizeof(float));
            __builtin_memcpy(row + inputs, run.state + (l * run.S + s) * spec.H, spec.H * sizeof(float));
        }
    }
    run.logits = scratch.take<float>(run.S * row_length<float>(spec.V));
    run.order = scratch.take<float>(2 * spec.V);
    run.barrier.set(run.threads);
    return run_team(run.threads, stack_thread<W>, &run);
}
