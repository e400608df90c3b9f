/* Small dense linear algebra in double precision, for principal components. */
#ifndef SORA_TRAIN_EIGEN_H
#define SORA_TRAIN_EIGEN_H

#include <stdbool.h>

#include "base/pool.h"

/* Eigenvalues (descending) and eigenvectors (rows of vectors [n, n]) of the symmetric a [n, n], which is destroyed.
 * Cyclic Jacobi rotations. */
void eigen_symmetric(int n, double *a, double *values, double *vectors);

/* The k largest eigenvalues (descending) and their eigenvectors (rows of vectors [k, n]) of the symmetric a [n, n], none of
 * whose eigenvalues is below 0 by much. Orthogonal iteration, on the pool's threads (NULL: one). False when out of memory. */
bool eigen_leading(Pool *pool, int n, const double *a, int k, double *values, double *vectors);

/* Solves x a = b for x [rows, n], a [n, n] symmetric and positive after ridge is added to its diagonal; a becomes
 * its Cholesky factor and b becomes x. */
void solve_right(int n, double *a, double ridge, int rows, double *b);

/* out [m, p] = a [m, n] * b [n, p]; with transpose_b, b is [p, n]. */
typedef struct Product {
    int m, n, p;
    int transpose_b;
} Product;
void multiply(Product s, const double *a, const double *b, double *out);

#endif
