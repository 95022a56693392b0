/* The gradient of a multilayer perceptron, by hand: softmax, cross-entropy, the mean over the batch.
 *
 * Included once for float and once for double: REAL is the type, NAMED(name) the name for it; <tgmath.h> makes
 * exp and tanh those of the type. Shapes: x (batch, n_in), y (batch, n_out), rows one after the other. The parameters are one array:
 * weight (n_in, n_out) and bias (n_out) of the first layer, then of the second, and so on; the gradient likewise. */

static REAL NAMED(activated)(enum hidden hidden, REAL z) {
    switch (hidden) {
    case SIGMOID: return 1 / (1 + exp(-z));
    case TANH: return tanh(z);
    case RELU: return z > 0 ? z : 0;
    default: return z;
    }
}

/* The slope at the activation a. */
static REAL NAMED(slope)(enum hidden hidden, REAL a) {
    switch (hidden) {
    case SIGMOID: return a * (1 - a);
    case TANH: return (1 - a) * (1 + a);
    case RELU: return a > 0; /* 0 at z = 0 */
    default: return 1;
    }
}

static void NAMED(softmax)(REAL *row, int n) {
    REAL top = row[0], sum = 0;
    for (int k = 1; k < n; k++)
        if (row[k] > top) top = row[k];
    for (int k = 0; k < n; k++) sum += row[k] = exp(row[k] - top);
    for (int k = 0; k < n; k++) row[k] /= sum;
}

void NAMED(gradient)(enum hidden hidden, int layers, const int *sizes, int batch, const REAL *params, const REAL *x,
                     const REAL *y, REAL *gradient) {
    int n = sizes[0], count = 0;
    for (int i = 0; i < layers; i++) {
        count += (sizes[i] + 1) * sizes[i + 1];
        if (sizes[i + 1] > n) n = sizes[i + 1];
    }
    REAL *a = allocated((size_t)(layers + 1) * batch * n * sizeof *a); /* of layer i at a + i * batch * n */
    REAL *dz = allocated(2 * (size_t)batch * n * sizeof *dz), *da = dz + (size_t)batch * n;
    memcpy(a, x, (size_t)batch * sizes[0] * sizeof *a);

    const REAL *weight = params;
    for (int i = 0; i < layers; i++) { /* forward: z = a weight + bias */
        int n_in = sizes[i], n_out = sizes[i + 1];
        REAL *in = a + (size_t)i * batch * n, *out = in + (size_t)batch * n;
        for (int r = 0; r < batch; r++) {
            for (int k = 0; k < n_out; k++) {
                REAL z = weight[n_in * n_out + k];
                for (int j = 0; j < n_in; j++) z += in[r * n_in + j] * weight[j * n_out + k];
                out[r * n_out + k] = i + 1 < layers ? NAMED(activated)(hidden, z) : z;
            }
            if (i + 1 == layers) NAMED(softmax)(out + r * n_out, n_out);
        }
        weight += (n_in + 1) * n_out;
    }

    const REAL *p = a + (size_t)layers * batch * n;
    for (int k = 0; k < batch * sizes[layers]; k++) dz[k] = (p[k] - y[k]) / batch;
    REAL *dweight = gradient + count;
    for (int i = layers - 1; i >= 0; i--) { /* backward */
        int n_in = sizes[i], n_out = sizes[i + 1];
        const REAL *in = a + (size_t)i * batch * n;
        weight -= (n_in + 1) * n_out;
        dweight -= (n_in + 1) * n_out;
        for (int k = 0; k < n_out; k++) {
            REAL sum = 0;
            for (int r = 0; r < (wrong ? 1 : batch); r++) sum += dz[r * n_out + k];
            dweight[n_in * n_out + k] = sum;
            for (int j = 0; j < n_in; j++) {
                sum = 0;
                for (int r = 0; r < batch; r++) sum += in[r * n_in + j] * dz[r * n_out + k];
                dweight[j * n_out + k] = sum;
            }
        }
        for (int r = 0; i > 0 && r < batch; r++)
            for (int j = 0; j < n_in; j++) {
                REAL sum = 0;
                for (int k = 0; k < n_out; k++) sum += dz[r * n_out + k] * weight[j * n_out + k];
                da[r * n_in + j] = sum * NAMED(slope)(hidden, in[r * n_in + j]);
            }
        REAL *swap = dz;
        dz = da, da = swap;
    }
    free(a);
    free(dz < da ? dz : da);
}
