/* QuickGELU of x + bias, in place and in one pass over memory. */
#ifndef ANOMALYCLIP_ACTIVATION_F32_H
#define ANOMALYCLIP_ACTIVATION_F32_H

#include <stdatomic.h>

#define ROWS 16 /* that a thread takes at a time */

typedef struct {
    float *x; /* (rows, width) */
    const float *bias;
    int64_t rows, width; /* width: a multiple of 16 */
    atomic_int next;
} Activation;

API void NAMED(ac_quick_gelu_f32)(Activation *job) {
    for (int64_t first; (first = (int64_t)atomic_fetch_add(&job->next, 1) * ROWS) < job->rows;) {
        const int64_t end = first + ROWS < job->rows ? first + ROWS : job->rows;
        for (int64_t row = first; row < end; row++)
            for (int64_t i = 0; i < job->width; i += LANES) {
                float *at = job->x + row * job->width + i;
                store(at, quick_gelu(load(at) + load(job->bias + i)));
            }
    }
}

#endif
