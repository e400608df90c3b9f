/* Small dense linear algebra in double precision, for principal components. */
#ifndef SORA_TRAIN_EIGEN_H
#define SORA_TRAIN_EIGEN_H

/* Eigenvalues (descending) and eigenvectors (rows of vectors [n, n]) of the symmetric a [n, n], which is destroyed.
 * Cyclic Jacobi rotations. */
void eigen_symmetric(int n, double *a, double *values, double *vectors);

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
