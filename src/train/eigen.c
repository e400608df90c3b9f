#include "train/eigen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
