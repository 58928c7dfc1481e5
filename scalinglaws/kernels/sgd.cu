// One-pass SGD on Gaussian least squares for many runs at once: one block per run, for all updates of a chunk.
//
// The arithmetic is that of philox.py and sgd.py, function by function; the same key gives the same run up to
// rounding. Everything but the block-wide sum and the kernel itself also compiles as C++ (`g++ -x c++`), where
// `sgd_host` walks the threads of a block one after the other: the parity tests compare that with the CPU kernel.
//
// QUADS > 0: every thread keeps 4 * QUADS modes in registers, and global memory is touched only at the ends.
// QUADS == 0: for runs too large for that, modes stay in global memory (in practice in the L2 cache).
// A thread owns whole Philox blocks ("quads") of the run: block j carries the modes j, n + j, 2n + j, 3n + j.
//
// One update needs one barrier: while a thread moves its modes it draws their next normals, so the new risk and
// the projection of the next normals on the new error come out of one sum.

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define ON_DEVICE 1
#define METHOD __device__ __forceinline__
#define UNROLL _Pragma("unroll")
#define BODY METHOD
#else
#define ON_DEVICE 0
#define METHOD inline
#define UNROLL
#define BODY static METHOD
#include <cmath>
#include <cstring>
#include <vector>
#endif

#ifndef QUADS
#define QUADS 0
#endif

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define INFINITE double_of(0x7FF0000000000000ull)   // NVRTC has no headers

struct Key { u32 k0, k1, k2; };
struct Words { u32 a, b, c, d; };
struct Sums { double risk, projection; };
struct Move { double shrink, spread; };
struct Place { u32 thread, threads, quads; };   // this thread's part of a run of 4 * quads modes

// ---- bits -------------------------------------------------------------------------------------------------

BODY u64 bits_of(double x)
{
#if ON_DEVICE
    return (u64)__double_as_longlong(x);
#else
    u64 b; std::memcpy(&b, &x, 8); return b;
#endif
}

BODY double double_of(u64 b)
{
#if ON_DEVICE
    return __longlong_as_double((i64)b);
#else
    double x; std::memcpy(&x, &b, 8); return x;
#endif
}

// ---- random numbers (philox.py) ---------------------------------------------------------------------------

BODY Words philox4x32(Words c, u32 k0, u32 k1)
{
    UNROLL
    for (int round = 0; round < 10; ++round) {
        const u64 p0 = (u64)0xD2511F53u * c.a;
        const u64 p1 = (u64)0xCD9E8D57u * c.c;
        c = Words{(u32)(p1 >> 32) ^ c.b ^ k0, (u32)p1, (u32)(p0 >> 32) ^ c.d ^ k1, (u32)p0};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

BODY Words block_words(u32 block, u64 step, Key key)
{
    return philox4x32(Words{block, (u32)step, (u32)(step >> 32), key.k2}, key.k0, key.k1);
}

BODY double minus_log(double u)
{
    const u64 bits = bits_of(u);
    const i64 exponent = (i64)(bits - 0x3FE6A09E667F3BCDull) >> 52;
    const double f = double_of(bits - ((u64)exponent << 52)) - 1.0;
    const double s = f / (2.0 + f);
    const double z = s * s;
    const double w = z * z;
    const double even =
        w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    const double odd = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01
                     + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    const double half = 0.5 * f * f;
    return half - s * (half + even + odd) - f - (double)exponent * 6.93147180559945286227e-01;
}

BODY void normal_pair(u32 a, u32 b, double &first, double &second)
{
    const double uniform = ((double)(((u64)a << 8) | (b >> 24)) + 0.5) * 0x1p-40;
    const double radius = sqrt(2.0 * minus_log(uniform));
    const double x = ((double)(b & 0x3FFFFFu) - 2097151.5) * (1.57079632679489661923 / 4194304.0);
    const double z = x * x;
    const double sine = x + x * z * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03
        + z * (-1.98412698298579493134e-04 + z * (2.75573137070700676789e-06
        + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
    double cosine = 1.0 - 0.5 * z + z * z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03
        + z * (2.48015872894767294178e-05 + z * (-2.75573143513906633035e-07
        + z * (2.08757232129817482790e-09 - z * 1.13596475577881948265e-11)))));
    cosine = (b >> 23) & 1u ? -cosine : cosine;
    const bool swap = (b >> 22) & 1u;
    first = radius * (swap ? sine : cosine);
    second = radius * (swap ? cosine : sine);
}

BODY void four_normals(u32 block, u64 step, Key key, double xi[4])
{
    const Words w = block_words(block, step, key);
    normal_pair(w.a, w.b, xi[0], xi[1]);
    normal_pair(w.c, w.d, xi[2], xi[3]);
}

BODY double chi_square(i64 degrees, u64 step, Key key)
{
    const double shape = 0.5 * (double)degrees - 1.0 / 3.0;
    const double scale = 1.0 / sqrt(9.0 * fabs(shape));
    for (u32 block = 0xFFFFFFFFu;; --block) {
        const Words w = block_words(block, step, key);
        double x, unused;
        normal_pair(w.a, w.b, x, unused);
        if (degrees == 1) return x * x;
        const double uniform = ((double)((((u64)w.c << 32) | w.d) >> 11) + 0.5) * 0x1p-53;
        const double root = 1.0 + scale * x;
        const double v = root * root * root;
        if (v > 0.0 && -minus_log(uniform) < 0.5 * x * x + shape * (1.0 - v - minus_log(v)))
            return 2.0 * shape * v;
    }
}

// ---- one update (sgd.py) ----------------------------------------------------------------------------------

BODY Move plan(double chi2, double lr, double risk, double projection)
{
    const double size = sqrt(risk);
    if (size == 0.0) return Move{0.0, 0.0};
    return Move{lr * (chi2 - sqrt(chi2) * (projection / size)), lr * (sqrt(chi2) * size)};
}

BODY double moved(double error, double eigenvalue, double xi, Move by)
{
    const double next = error - eigenvalue * (by.shrink * error + by.spread * xi);
    return fabs(next) < 1e-150 ? 0.0 : next;
}

// Where a thread keeps its modes. slot(q, m) is mode m of its q-th quad, 0 <= m < 4.
#if QUADS > 0
struct Modes {
    double error[4 * QUADS], eigenvalue[4 * QUADS], xi[4 * QUADS];
    METHOD u32 count(Place) const { return QUADS; }
    METHOD u32 slot(u32 q, u32 m, Place) const { return 4 * q + m; }
};
#else
struct Modes {
    double *error;
    const double *eigenvalue;
    double *xi;
    METHOD u32 count(Place at) const { return (at.quads + at.threads - 1) / at.threads; }
    METHOD u32 slot(u32 q, u32 m, Place at) const { return m * at.quads + q * at.threads + at.thread; }
};
#endif

// Move this thread's modes, draw their normals for `step`, and return its part of both sums.
BODY Sums sweep(Modes &modes, Place at, Move by, u64 step, Key key)
{
    Sums sums = {0.0, 0.0};
    const u32 count = modes.count(at);
    UNROLL
    for (u32 q = 0; q < count; ++q) {
        const u32 block = q * at.threads + at.thread;
        if (block >= at.quads) continue;
        double xi[4];
        four_normals(block, step, key, xi);
        UNROLL
        for (u32 m = 0; m < 4; ++m) {
            const u32 k = modes.slot(q, m, at);
            const double error = moved(modes.error[k], modes.eigenvalue[k], modes.xi[k], by);
            modes.error[k] = error;
            modes.xi[k] = xi[m];
            sums.risk += error * error;
            sums.projection += xi[m] * error;
        }
    }
    return sums;
}

BODY void load(Modes &modes, Place at, double *error, const double *eigenvalues, double *xi)
{
#if QUADS > 0
    for (u32 q = 0; q < QUADS; ++q)
        for (u32 m = 0; m < 4; ++m) {
            const u32 block = q * at.threads + at.thread, k = modes.slot(q, m, at);
            const bool mine = block < at.quads;
            modes.error[k] = mine ? error[m * at.quads + block] : 0.0;
            modes.eigenvalue[k] = mine ? eigenvalues[m * at.quads + block] : 0.0;
            modes.xi[k] = 0.0;
        }
    (void)xi;
#else
    modes.error = error;
    modes.eigenvalue = eigenvalues;
    modes.xi = xi;
    for (u32 q = 0; q < modes.count(at); ++q)
        for (u32 m = 0; m < 4; ++m)
            if (q * at.threads + at.thread < at.quads) xi[modes.slot(q, m, at)] = 0.0;
#endif
}

BODY void store(const Modes &modes, Place at, double *error)
{
#if QUADS > 0
    for (u32 q = 0; q < QUADS; ++q)
        for (u32 m = 0; m < 4; ++m)
            if (q * at.threads + at.thread < at.quads)
                error[m * at.quads + q * at.threads + at.thread] = modes.error[modes.slot(q, m, at)];
#else
    (void)modes; (void)at; (void)error;
#endif
}

// ---- the device: a block-wide sum and the kernel ----------------------------------------------------------

#if ON_DEVICE
#ifndef THREADS
#define THREADS 256
#endif
#define WARPS (THREADS / 32)

// Every thread gets the same sums, added in the same order. Two sets of slots, used in turn, make one barrier
// enough: nobody overwrites a set before all have passed the barrier of the sum in between.
BODY Sums block_sum(Sums part, Sums (&slots)[2][WARPS], u32 turn)
{
    for (int offset = 16; offset > 0; offset /= 2) {
        part.risk += __shfl_xor_sync(0xFFFFFFFFu, part.risk, offset);
        part.projection += __shfl_xor_sync(0xFFFFFFFFu, part.projection, offset);
    }
    if (threadIdx.x % 32 == 0) slots[turn & 1][threadIdx.x / 32] = part;
    __syncthreads();
    Sums total = {0.0, 0.0};
    for (u32 warp = 0; warp < WARPS; ++warp) {
        total.risk += slots[turn & 1][warp].risk;
        total.projection += slots[turn & 1][warp].projection;
    }
    return total;
}

extern "C" __global__ void __launch_bounds__(THREADS)
advance_runs(const double *eigenvalues, const i64 *problem_at, const i64 *problem, const u32 *keys,
        double *error, const i64 *error_at, double *xi, double *risk, signed char *status,
        const double *ceiling, u64 first, const double *lr, const i64 *batch, i64 n,
        const i64 *record, i64 records, double *out)
{
    __shared__ Sums slots[2][WARPS];
    __shared__ double chi2[THREADS];                     // drawn for THREADS updates at a time, one per thread
    const i64 run = blockIdx.x, p = problem[run];
    if (status[run] != 0) {
        for (i64 i = threadIdx.x; i < records; i += THREADS) out[run * records + i] = INFINITE;
        return;
    }
    const Place at = {threadIdx.x, THREADS, (u32)((problem_at[p + 1] - problem_at[p]) / 4)};
    const Key key = {keys[3 * run], keys[3 * run + 1], keys[3 * run + 2]};
    lr += p * n;
    batch += p * n;
    out += run * records;
    Modes modes;
    load(modes, at, error + error_at[run], eigenvalues + problem_at[p], xi + error_at[run]);

    Sums now = block_sum(sweep(modes, at, Move{0.0, 0.0}, first, key), slots, 0);
    double level = risk[run];
    i64 cursor = 0;
    bool diverged = false;
    for (i64 k = 0; k < n; ++k) {
        if (k % THREADS == 0) {
            const i64 mine = k + threadIdx.x;            // the barrier of the last sum: all have used the old draws
            if (mine < n) chi2[threadIdx.x] = chi_square(batch[mine], first + mine, key);
            __syncthreads();
        }
        const Move by = plan(chi2[k % THREADS], lr[k], level, now.projection);
        now = block_sum(sweep(modes, at, by, first + k + 1, key), slots, (u32)k + 1);
        level = now.risk;
        diverged = !(level <= ceiling[run]);
        if (diverged) break;
        if (cursor < records && record[cursor] == (i64)first + k + 1) {
            if (threadIdx.x == 0) out[cursor] = level;
            ++cursor;
        }
    }
    for (i64 i = cursor + threadIdx.x; diverged && i < records; i += THREADS) out[i] = INFINITE;
    store(modes, at, error + error_at[run]);
    if (threadIdx.x == 0) {
        risk[run] = level;
        status[run] = diverged;
    }
}

// ---- the host: the same functions for the parity tests ----------------------------------------------------

#else
extern "C" {

void host_philox(const u32 *counter, const u32 *key, u32 *out)
{
    const Words w = philox4x32(Words{counter[0], counter[1], counter[2], counter[3]}, key[0], key[1]);
    out[0] = w.a; out[1] = w.b; out[2] = w.c; out[3] = w.d;
}

void host_normals(double *out, i64 quads, u64 step, const u32 *key)
{
    for (i64 block = 0; block < quads; ++block) {
        double xi[4];
        four_normals((u32)block, step, Key{key[0], key[1], key[2]}, xi);
        for (int m = 0; m < 4; ++m) out[m * quads + block] = xi[m];
    }
}

double host_chi_square(i64 degrees, u64 step, const u32 *key)
{
    return chi_square(degrees, step, Key{key[0], key[1], key[2]});
}

// One update with the noise given, as sgd.step.
double host_step(double *error, const double *eigenvalues, const double *xi, i64 size, double chi2, double lr,
                 double risk)
{
    double projection = 0.0, next = 0.0;
    for (i64 i = 0; i < size; ++i) projection += xi[i] * error[i];
    const Move by = plan(chi2, lr, risk, projection);
    for (i64 i = 0; i < size; ++i) {
        error[i] = moved(error[i], eigenvalues[i], xi[i], by);
        next += error[i] * error[i];
    }
    return next;
}

// A run of n updates as one block of `threads` threads computes it, the threads taken in turn.
double host_run(double *error, const double *eigenvalues, i64 size, const u32 *words, u64 first,
                const double *lr, const i64 *batch, i64 n, i64 threads, double risk)
{
    const Key key = {words[0], words[1], words[2]};
    std::vector<double> xi(size);
    std::vector<Modes> modes(threads);
    Place at = {0, (u32)threads, (u32)(size / 4)};
    Sums now = {0.0, 0.0};
    for (i64 k = -1; k < n; ++k) {                       // k = -1: load, and draw the first normals
        const Move by = k < 0 ? Move{0.0, 0.0}
                              : plan(chi_square(batch[k], first + k, key), lr[k], risk, now.projection);
        now = Sums{0.0, 0.0};
        for (at.thread = 0; at.thread < at.threads; ++at.thread) {
            if (k < 0) load(modes[at.thread], at, error, eigenvalues, xi.data());
            const Sums part = sweep(modes[at.thread], at, by, first + k + 1, key);
            now.risk += part.risk;
            now.projection += part.projection;
        }
        if (k >= 0) risk = now.risk;
    }
    for (at.thread = 0; at.thread < at.threads; ++at.thread) store(modes[at.thread], at, error);
    return risk;
}

}
#endif
