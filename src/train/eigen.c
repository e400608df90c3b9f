#include "train/eigen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { LEADING_ROUNDS = 30 };

/* Turns rows and columns p and q of a, and rows p and q of v, by the angle that makes a[p][q] zero. */
static void rotate(int n, double *a, double *v, int p, int q)
{
    double apq = a[p * n + q];
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (int k = 0; k < n; k++) {
        double x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for (int k = 0; k < n; k++) {
        double x = a[p * n + k], y = a[q * n + k];
        a[p * n + k] = c * x - s * y;
        a[q * n + k] = s * x + c * y;
        x = v[p * n + k];
        y = v[q * n + k];
        v[p * n + k] = c * x - s * y;
        v[q * n + k] = s * x + c * y;
    }
}

void eigen_symmetric(int n, double *a, double *values, double *vectors)
{
    memset(vectors, 0, sizeof(double) * (size_t)n * (size_t)n);
    double trace = 0;
    for (int i = 0; i < n; i++) {
        vectors[i * n + i] = 1;
        trace += fabs(a[i * n + i]);
    }
    for (int sweep = 0; sweep < 30; sweep++) {
        double off = 0;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++)
                off += fabs(a[p * n + q]);
        if (off <= 1e-12 * trace)
            break;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++)
                if (fabs(a[p * n + q]) > 1e-15 * trace / n)
                    rotate(n, a, vectors, p, q);
    }
    for (int i = 0; i < n; i++)
        values[i] = a[i * n + i];
    for (int i = 0; i < n; i++) { /* selection sort: n is a few hundred */
        int best = i;
        for (int j = i + 1; j < n; j++)
            if (values[j] > values[best])
                best = j;
        double x = values[i];
        values[i] = values[best];
        values[best] = x;
        for (int k = 0; k < n && best != i; k++) {
            x = vectors[i * n + k];
            vectors[i * n + k] = vectors[best * n + k];
            vectors[best * n + k] = x;
        }
    }
}

/* w [n, m] = a v, columns of v being vectors. */
typedef struct Apply {
    int n, m;
    const double *a, *v;
    double *w;
} Apply;

static void apply_row(void *arg, int64_t i, int worker)
{
    const Apply *p = arg;
    double *w = p->w + i * p->m;
    memset(w, 0, (size_t)p->m * sizeof *w);
    for (int k = 0; k < p->n; k++) {
        double x = p->a[i * p->n + k];
        for (int j = 0; j < p->m; j++)
            w[j] += x * p->v[k * p->m + j];
    }
}

/* Columns of v [n, m], from the first on; twice, for columns that were nearly parallel. */
static void orthonormalise(int n, int m, double *v)
{
    for (int j = 0; j < m; j++)
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < j; i++) {
                double dot = 0;
                for (int k = 0; k < n; k++)
                    dot += v[k * m + i] * v[k * m + j];
                for (int k = 0; k < n; k++)
                    v[k * m + j] -= dot * v[k * m + i];
            }
            double norm = 0;
            for (int k = 0; k < n; k++)
                norm += v[k * m + j] * v[k * m + j];
            norm = sqrt(fmax(norm, 1e-300));
            for (int k = 0; k < n; k++)
                v[k * m + j] /= norm;
        }
}

/* The eigenvectors within the span of the columns of v [n, m], with w = a v. */
static bool rotate_into_eigenvectors(int n, int m, int k, const double *v, const double *w, double *values, double *vectors)
{
    double *inner = malloc((size_t)m * (size_t)m * 2 * sizeof *inner), *turns = inner + m * m;
    double *all = malloc((size_t)m * sizeof *all);
    bool ok = inner != NULL && all != NULL;
    if (ok) {
        for (int i = 0; i < m; i++)
            for (int j = 0; j <= i; j++) {
                double sum = 0;
                for (int l = 0; l < n; l++)
                    sum += v[l * m + i] * w[l * m + j];
                inner[i * m + j] = inner[j * m + i] = sum;
            }
        eigen_symmetric(m, inner, all, turns);
        for (int i = 0; i < k; i++) {
            values[i] = all[i];
            for (int l = 0; l < n; l++) {
                double sum = 0;
                for (int j = 0; j < m; j++)
                    sum += turns[i * m + j] * v[l * m + j];
                vectors[i * n + l] = sum;
            }
        }
    }
    free(inner);
    free(all);
    return ok;
}

bool eigen_leading(Pool *pool, int n, const double *a, int k, double *values, double *vectors)
{
    int m = k + 24 < n ? k + 24 : n;
    double *v = malloc((size_t)n * (size_t)m * 2 * sizeof *v), *w = v + (size_t)n * (size_t)m;
    if (v == NULL)
        return false;
    Rng rng;
    rng_init(&rng, 1, 0);
    for (int i = 0; i < n * m; i++)
        v[i] = rng_normal(&rng);
    for (int round = 0; round < LEADING_ROUNDS; round++) {
        orthonormalise(n, m, v);
        pool_run(pool, n, apply_row, &(Apply){n, m, a, v, w});
        if (round + 1 < LEADING_ROUNDS)
            memcpy(v, w, (size_t)n * (size_t)m * sizeof *v);
    }
    bool ok = rotate_into_eigenvectors(n, m, k, v, w, values, vectors);
    free(v);
    return ok;
}

void solve_right(int n, double *a, double ridge, int rows, double *b)
{
    for (int i = 0; i < n; i++)
        a[i * n + i] += ridge;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = a[i * n + j];
            for (int k = 0; k < j; k++)
                sum -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = i == j ? sqrt(fmax(sum, 1e-300)) : sum / a[j * n + j];
        }
    for (int r = 0; r < rows; r++) { /* L L^T x = b, row by row */
        double *x = b + (size_t)r * (size_t)n;
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < i; k++)
                x[i] -= a[i * n + k] * x[k];
            x[i] /= a[i * n + i];
        }
        for (int i = n - 1; i >= 0; i--) {
            for (int k = i + 1; k < n; k++)
                x[i] -= a[k * n + i] * x[k];
            x[i] /= a[i * n + i];
        }
    }
}

void multiply(Product s, const double *a, const double *b, double *out)
{
    for (int i = 0; i < s.m; i++)
        for (int j = 0; j < s.p; j++) {
            double sum = 0;
            for (int k = 0; k < s.n; k++)
                sum += a[i * s.n + k] * (s.transpose_b ? b[j * s.n + k] : b[k * s.p + j]);
            out[i * s.p + j] = sum;
        }
}
