// The kernel under ThreadSanitizer: two runs of 70 updates, a few more than one refill of chi2[THREADS].

#include "cuda_on_threads.h"

int main()
{
    const int size = 208, n = 70;
    std::vector<double> eigenvalues(size), error(2 * size), xi(2 * size), lr(n, 0.02), out(4);
    std::vector<i64> batch(n, 4);
    double first = 0.0;
    for (int i = 0; i < 201; ++i) {
        eigenvalues[i] = i < 200 ? std::pow(i + 1.0, -1.5) : 0.0;
        error[i] = error[size + i] = 1.0 / (i + 1);
        first += error[i] * error[i];
    }
    const i64 problem_at[] = {0, size}, problem[] = {0, 0}, error_at[] = {0, size, 2 * size}, record[] = {1, n};
    const u32 keys[] = {1, 2, 3, 4, 5, 6};
    double risk[] = {first, first}, ceiling[] = {1e50, 1e50};
    signed char status[] = {0, 0};
    launch(2, eigenvalues.data(), problem_at, problem, keys, error.data(), error_at, xi.data(), risk, status,
           ceiling, 0, lr.data(), batch.data(), n, record, 2, out.data());
    return out[1] == risk[0] && out[3] == risk[1] && risk[0] < first ? 0 : 1;
}
