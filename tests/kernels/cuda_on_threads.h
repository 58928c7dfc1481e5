// Just enough of CUDA C++ on std::thread to execute the kernel of sgd.cu without a device: one thread of the
// processor for each thread of a block, real barriers, blocks one after the other. Slow; for tests only.

#define __CUDACC__
#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define __shared__ static

#include <barrier>
#include <cmath>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

struct Index { unsigned x; };
static thread_local Index threadIdx, blockIdx;

static std::unique_ptr<std::barrier<>> whole_block;
static std::vector<std::unique_ptr<std::barrier<>>> warps;
static double exchange[THREADS];

static void __syncthreads() { whole_block->arrive_and_wait(); }

static double __shfl_xor_sync(unsigned, double value, int offset)
{
    auto &warp = *warps[threadIdx.x / 32];
    exchange[threadIdx.x] = value;
    warp.arrive_and_wait();
    const double other = exchange[threadIdx.x ^ offset];
    warp.arrive_and_wait();
    return other;
}

static long long __double_as_longlong(double x) { long long b; std::memcpy(&b, &x, 8); return b; }
static double __longlong_as_double(long long b) { double x; std::memcpy(&x, &b, 8); return x; }

#include "sgd.cu"

template <class... Arguments> static void run_grid(unsigned blocks, Arguments... arguments)
{
    for (unsigned block = 0; block < blocks; ++block) {
        whole_block = std::make_unique<std::barrier<>>(THREADS);
        warps.clear();
        for (int warp = 0; warp < THREADS / 32; ++warp) warps.push_back(std::make_unique<std::barrier<>>(32));
        std::vector<std::thread> threads;
        for (unsigned thread = 0; thread < THREADS; ++thread)
            threads.emplace_back([=] {
                blockIdx.x = block;
                threadIdx.x = thread;
                advance_runs(arguments...);
            });
        for (auto &thread : threads) thread.join();
    }
}

extern "C" void launch(unsigned blocks, const double *eigenvalues, const i64 *problem_at, const i64 *problem,
                       const u32 *keys, double *error, const i64 *error_at, double *xi, double *risk,
                       signed char *status, const double *ceiling, u64 first, const double *lr,
                       const i64 *batch, i64 n, const i64 *record, i64 records, double *out)
{
    run_grid(blocks, eigenvalues, problem_at, problem, keys, error, error_at, xi, risk, status, ceiling, first,
             lr, batch, n, record, records, out);
}
